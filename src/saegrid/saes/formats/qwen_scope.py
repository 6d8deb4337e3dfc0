"""Qwen Scope checkpoints: config.json for all layers, and one file of torch.save a layer.

    pre = W x + b_enc       z = the k largest of relu(pre)       x_hat = sum_i z_i * d_i + b_dec

They read the residual stream after a block. Their authors take the k largest without the ReLU,
which is another result only where fewer than k are positive.
"""

import re
from pathlib import Path

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.words import Site
from saegrid.saes import parts
from saegrid.saes.checkpoint import (
    READ,
    Format,
    Named,
    Reading,
    check_keys,
    check_tensors,
    read_facts,
    require,
    supported,
)
from saegrid.saes.formats.gemma_scope import refuse_centred
from saegrid.saes.known import words
from saegrid.saes.sae import SAE

FACTS, WEIGHTS = "config.json", "layer0.sae.pt"
DECIDES = words("model_type d_model d_sae k hook_point")
NEUTRAL = words("base_model num_layers dtype")
HOOKS = {"resid_post": "R"}


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE of one layer in a folder with config.json and layer{N}.sae.pt.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the stored decoder columns, where they are known already.
        reading: what the study's config says where the files do not, among it the file.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path, file = Path(folder) / FACTS, reading.weights(folder, WEIGHTS)
    cfg = read_facts(path)
    supported(path, "model_type", require(path, cfg, "model_type", str), "topk_sae")
    hook = require(path, cfg, "hook_point", str)
    supported(path, "hook_point", hook, *HOOKS)
    check_keys(path, cfg, DECIDES, NEUTRAL, reading)
    refuse_centred(path, reading)
    d_model, d_sae, k = (require(path, cfg, key, int) for key in ("d_model", "d_sae", "k"))
    layer = re.fullmatch(r"layer_?(\d+)\.sae\.\w+", file.name)
    if layer is None:
        raise CheckpointError(
            f"{file}: the file must be named layer7.sae.pt for layer 7; set "
            "`file: layer{layer}.sae.pt` at this SAE in the config."
        )
    tensors = parts.open_weights(file)
    check_tensors(tensors, ("W_enc", "W_dec", "b_enc", "b_dec"))
    encoder = parts.encoder(
        parts.weights(tensors, "W_enc", d_sae, d_model, turned=False),
        parts.vector(tensors, "b_enc", d_sae),
        k=parts.check_k(path, k, d_sae),
    )
    decoder = parts.decoder(parts.weights(tensors, "W_dec", d_sae, d_model, turned=True), norms)
    facts = parts.facts("qwen_scope", hook, encoder, {})
    site = Site(int(layer[1]), HOOKS[hook])
    return SAE(encoder, decoder, parts.vector(tensors, "b_dec", d_model), False, facts, site)


def named(path: str) -> Named:
    """The residual stream behind the layer in the name of a file."""
    layer = re.search(r"layer_?(\d+)\.sae\.\w+$", path)
    return Named(Site(int(layer[1]), "R") if layer else None)


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    named=named,
    each="layer{layer}.sae.pt",
    releases="Qwen Scope",
    example='{repo: Qwen/SAE-Res-Qwen3-1.7B-Base-W32K-L0_50, file: "layer{layer}.sae.pt"}',
)
