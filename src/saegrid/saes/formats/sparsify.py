"""Checkpoints of sparsify: cfg.json and sae.safetensors in a folder with the name of a module.

    pre = W (x - b_dec) + b_enc, of a transcoder (`transcode`) W x + b_enc
    z   = the k largest of relu(pre)
    y_hat = sum_i z_i * d_i + b_dec + W_skip x

An SAE reads the output of the module, a transcoder reads its input and writes its output. The
folder's name is that of the module; where it says nothing, the site that is asked for is believed.
No file names the model: of one with a norm behind attention or MLP (Gemma 2 and 3, OLMo 2), what
comes out of these modules is no site, and an SAE of it is not to be read.
"""

import re
from pathlib import Path
from typing import Any

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
from saegrid.saes.hooks import site_of
from saegrid.saes.known import words
from saegrid.saes.sae import SAE

FACTS, WEIGHTS = "cfg.json", "sae.safetensors"
DECIDES = words("activation expansion_factor num_latents k signed skip_connection transcode d_in")
HISTORY = words("normalize_decoder multi_topk")
PLAIN = "llama"
"""A model without such norms."""
TENSORS = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE or transcoder in a folder with cfg.json and sae.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the decoder's rows, where they are known already.
        reading: what the study's config says where the files do not.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path = Path(folder) / FACTS
    cfg = read_facts(path)
    supported(path, "activation", cfg.get("activation", "topk"), "topk")
    supported(path, "signed", cfg.get("signed", False), False)
    d_in, k = require(path, cfg, "d_in", int), require(path, cfg, "k", int)
    check_keys(path, cfg, DECIDES, HISTORY, reading)
    refuse_centred(path, reading)
    transcode, skips = (
        require(path, {key: False} | cfg, key, bool) for key in ("transcode", "skip_connection")
    )
    site, writes = _sites(path, cfg, reading)
    d_sae = _width(path, cfg, d_in)
    tensors = parts.open_weights(reading.weights(folder, WEIGHTS))
    check_tensors(tensors, {*TENSORS, "W_skip"} if skips else TENSORS)
    rows = parts.weights(tensors, "encoder.weight", d_sae, d_in, turned=False)
    b_dec = parts.vector(tensors, "b_dec", d_in)
    encoder = parts.encoder(
        rows,
        parts.vector(tensors, "encoder.bias", d_sae),
        k=parts.check_k(path, k, d_sae),
        before=None if transcode else b_dec,
    )
    decoder = parts.decoder(parts.weights(tensors, "W_dec", d_sae, d_in, turned=False), norms)
    skip = tensors.get("W_skip", (d_in, d_in)) if skips else None
    folded = {parts.SUBTRACTED: not transcode and bool(b_dec.any()), parts.SKIPPED: skips}
    module = _module(path)
    hook = module if site_of(module, PLAIN) else "as the config says"
    facts = parts.facts("sparsify", hook, encoder, folded)
    return SAE(encoder, decoder, b_dec, False, facts, site, writes, skip)


def _width(path: Path, cfg: dict[str, Any], d_in: int) -> int:
    """Number of features: num_latents, or where it is 0 or missing, expansion_factor * d_in."""
    n = require(path, {"num_latents": 0} | cfg, "num_latents", int)
    return n or d_in * require(path, cfg, "expansion_factor", int)


def _module(path: Path) -> str:
    """The name of the folder, without the digest that a cache of checkpoints adds."""
    return re.sub(r"-[0-9a-f]{12}$", "", path.absolute().parent.name)


def _sites(path: Path, cfg: dict[str, Any], reading: Reading) -> tuple[Site | None, Site | None]:
    """The sites that the SAE reads and, as a transcoder, writes."""
    said, module = cfg.get("transcode"), _module(path)
    if said is None and cfg.get("skip_connection") and reading.writes is None:
        raise CheckpointError(
            f"{path}: skip_connection is true and transcode is not said: set `writes: m` at this "
            "SAE in the config if it is a transcoder, or write transcode: false into the file."
        )
    writes = reading.writes is not None if said is None else said
    out = site_of(module, PLAIN)
    if not writes:
        return out or reading.site, None
    if out is None and reading.writes is None:
        raise CheckpointError(
            f"{path}: transcode is true, and the folder is not named like a module (layers.5.mlp): "
            "set `writes: m` at this SAE in the config."
        )
    read = site_of(f"{module}.input", PLAIN) if out else reading.site
    return read, out or reading.writes


def named(path: str) -> Named:
    """The site of the module whose name is that of the folder."""
    return Named(site_of(path.split("/")[-2], PLAIN) if "/" in path else None)


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    named=named,
    releases="sparsify; transcoders with `writes: m`",
    example='{repo: EleutherAI/sae-pythia-70m-32k, folder: "layers.{layer}"}',
)
