"""Gemma Scope 2 checkpoints (Gemma 3): SAEs, and transcoders with and without a skip.

    pre_i = W_i . x + b_enc_i       z_i = pre_i where pre_i > max(threshold_i, 0), else 0
    y_hat = sum_i z_i * d_i + b_dec + x . affine_skip_connection

The config names hook points by the modules of the model. SAEs of attention read the outputs of the
heads (Z), transcoders the MLP's input behind its norm (I), and they write its output behind the
norm that follows it (M).
"""

from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.words import Site
from saegrid.saes import parts
from saegrid.saes.checkpoint import (
    READ,
    Format,
    Reading,
    check_keys,
    read_facts,
    require,
    supported,
)
from saegrid.saes.formats.gemma_scope import SKIP, refuse_centred, view
from saegrid.saes.hooks import site_of
from saegrid.saes.known import words
from saegrid.saes.sae import SAE

FACTS, WEIGHTS = "config.json", "params.safetensors"
DECIDES = words("architecture type hf_hook_point_in hf_hook_point_out affine_connection")
NEUTRAL = words("model_name width l0")
KINDS = ("sae", "transcoder")
MODEL = "gemma-3"
"""Models whose modules the hook points name; configs write them in several ways."""


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE or transcoder in a folder with config.json and params.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the decoder's rows, where they are known already.
        reading: what the study's config says where the files do not.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path = Path(folder) / FACTS
    cfg = read_facts(path)
    supported(path, "architecture", require(path, cfg, "architecture", str), "jump_relu")
    kind = cfg.get("type", "sae" if cfg.get("hf_hook_point_out") is None else None)
    if kind is not None and kind not in KINDS:
        raise CheckpointError(
            f"{path}: type is {kind!r}, which reads or writes several layers; supported: "
            f"{', '.join(map(repr, KINDS))}."
        )
    check_keys(path, cfg, DECIDES, NEUTRAL, reading)
    refuse_centred(path, reading)
    site = _site(path, cfg, "hf_hook_point_in")
    out = site if cfg.get("hf_hook_point_out") is None else _site(path, cfg, "hf_hook_point_out")
    writes = None if out == site else out
    if kind is not None and (writes is None) != (kind == "sae"):
        raise CheckpointError(
            f"{path}: type is {kind!r}, but it reads {site} and writes {out}. Correct the one that "
            "is wrong."
        )
    tensors = parts.open_weights(reading.weights(folder, WEIGHTS))
    affine = require(path, {"affine_connection": False} | cfg, "affine_connection", bool)
    if affine != (SKIP in tensors.arrays):
        raise CheckpointError(
            f"{path}: affine_connection is {affine}, but {tensors.path.name} has "
            f"{'no' if affine else 'a'} tensor {SKIP!r}. Correct the one that is wrong."
        )
    return view(tensors, ("gemma_scope_2", cfg["hf_hook_point_in"]), norms, site, writes)


def _site(path: Path, cfg: dict[str, Any], key: str) -> Site:
    """The site of a hook point like `model.layers.17.self_attn.o_proj.input`."""
    hook = require(path, cfg, key, str)
    site = site_of(hook, MODEL)
    if site is None:
        raise CheckpointError(
            f"{path}: {key} is {hook!r}, which is no site; supported: model.layers.17.output, "
            "model.layers.17.self_attn.o_proj.input, "
            "model.layers.17.pre_feedforward_layernorm.output, "
            "model.layers.17.post_feedforward_layernorm.output."
        )
    return site


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    releases="Gemma Scope 2; `attn_out` at Z, transcoders at I with `writes: m`",
    example="{repo: google/gemma-scope-2-1b-pt, "
    'folder: "transcoder_all/layer_{layer}_width_16k_l0_small_affine", writes: m}',
)
