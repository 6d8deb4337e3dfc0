"""Llama Scope checkpoints, read in the gauge of their authors.

Raw activations go in, decoder rows have norm one, and one scalar threshold T stands in
`hyperparams.json` in just these units. With s = sqrt(d_model) / dataset_average_activation_norm:

    pre_i = n_i * (W_i . x + b_i / s_in)      n_i = |decoder column i| * s_in / s_out
    z_i   = pre_i where pre_i > T, else 0
    x_hat = sum_i z_i * d_i / |d_i| + b_dec / s_out
"""

import re
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.matrix import Matrix
from saegrid.base.tensors import dtype_name, open_tensors, widen
from saegrid.base.words import Site
from saegrid.saes.checkpoint import (
    READ,
    Format,
    Named,
    Reading,
    check_keys,
    check_tensors,
    matrix,
    read_facts,
    require,
    supported,
)
from saegrid.saes.hooks import hook_of, site_of
from saegrid.saes.known import words
from saegrid.saes.norms import column_norms, pick_columns
from saegrid.saes.sae import SAE, Decoder, Encoder

FACTS, WEIGHTS = "hyperparams.json", "checkpoints/final.safetensors"
TENSORS = ("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias")

DECIDES = words(
    """
    hook_point_in hook_point_out d_model d_sae dtype jump_relu_threshold
    dataset_average_activation_norm
    """
)
UNDERSTOOD = {
    "act_fn": "jumprelu",
    "norm_activation": "dataset-wise",
    "use_glu_encoder": False,
    "apply_decoder_bias_to_pre_encoder": False,
    "sparsity_include_decoder_norm": True,
    "use_decoder_bias": True,
}
"""Keys that decide the arithmetic, with the one value that is read."""
HISTORY = words(
    """
    device seed sae_pretrained_name_or_path strict_loading expansion_factor bias_init_method
    init_decoder_norm init_encoder_norm init_encoder_with_decoder_transpose
    decoder_exactly_fixed_norm lp l1_coefficient l1_coefficient_warmup_steps top_k k_warmup_steps
    use_batch_norm_mse use_ghost_grads tp_size ddp_size
    """
)
"""Keys of the training and of its machine, all that the authors' config has beside the others."""


def names(site: Site, expansion: int) -> tuple[str, str]:
    """Repository and folder on the hub of a site's SAE."""
    return (
        f"fnlp/Llama3_1-8B-Base-LX{site.position}-{expansion}x",
        f"Llama3_1-8B-Base-L{site.layer}{site.position}-{expansion}x",
    )


def parse_name(name: str) -> tuple[Site, int]:
    """Site and expansion in a name like `Llama3_1-8B-Base-L15R-8x` or `l15r_8x`.

    For names that people write; what a checkpoint reads stands in its hyperparams.
    """
    match = re.fullmatch(r"(?:.*[^A-Za-z])?L(\d{1,2})([RAM])[-_](\d+)x", name, re.IGNORECASE)
    if not match:
        raise ValueError(f"A Llama Scope name must end like L15R-8x; got {name!r}.")
    return Site(int(match[1]), match[2].upper()), int(match[3])


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE in a folder with hyperparams.json and checkpoints/final.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the stored decoder columns, where they are known already;
            else the decoder is walked through once.
        reading: what the study's config says where the files do not.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path = Path(folder) / FACTS
    facts = read_facts(path)
    site = _site(path, facts)
    for key, value in UNDERSTOOD.items():
        supported(path, key, require(path, facts, key, type(value)), value)
    check_keys(path, facts, DECIDES | set(UNDERSTOOD), HISTORY, reading)
    if reading.centred:
        raise CheckpointError(
            f"{path}: centred is true in the config, but Llama Scope reads activations as they "
            "are. Take it out."
        )
    d_model, d_sae = (require(path, facts, key, int) for key in ("d_model", "d_sae"))
    s_in, s_out = _scales(path, facts, d_model)
    tensors = open_tensors(Path(folder) / WEIGHTS)
    check_tensors(tensors, TENSORS)
    weight = matrix(tensors, "encoder.weight", (d_sae, d_model))
    columns = matrix(tensors, "decoder.weight", (d_model, d_sae))
    _same_dtype(tensors.path, facts, weight, columns)
    if norms is None:
        norms = column_norms(columns)
    decoder = Decoder(d_model, d_sae, partial(pick_columns, columns.array), lambda: norms)
    n = decoder.norms * (s_in / s_out)
    b_enc = widen(tensors.get("encoder.bias", (d_sae,))).astype(np.float64)
    b_dec = widen(tensors.get("decoder.bias", (d_model,))).astype(np.float64)
    threshold = float(require(path, facts, "jump_relu_threshold", float, int))
    encoder = Encoder(
        d_model,
        d_sae,
        scale=n,
        bias=n * b_enc / s_in,
        threshold=np.full(d_sae, threshold),
        k=None,
        dtype=dtype_name(weight),
        read=weight.rows,
        fill=weight.rows,
    )
    known = {"format": "llama_scope", "hook": facts["hook_point_in"], "dtype": encoder.dtype}
    known |= {"threshold": threshold, "s_in": s_in, "s_out": s_out, "scale": "unit_decoder"}
    return SAE(encoder, decoder, b_dec / s_out, unit=True, facts=known, site=site)


def _site(path: Path, facts: dict[str, Any]) -> Site:
    """The site of the hook point, which must be the same in and out."""
    hook, out = (require(path, facts, key, str) for key in ("hook_point_in", "hook_point_out"))
    if hook != out:
        raise CheckpointError(
            f"{path}: hook_point_in {hook!r} and hook_point_out {out!r} differ: "
            "this is a transcoder; supported: SAEs, which read and write at one place."
        )
    site = site_of(hook)
    if site is None:
        known = ", ".join(repr(hook_of(Site(15, position))) for position in "AMR")
        raise CheckpointError(f"{path}: hook_point_in is {hook!r}; supported: {known}, ...")
    return site


def _scales(path: Path, facts: dict[str, Any], d_model: int) -> tuple[float, float]:
    """s_in and s_out: what raw activations were multiplied with in training."""
    key = "dataset_average_activation_norm"
    average = require(path, facts, key, dict)
    scales = []
    for side in ("in", "out"):
        norm = average.get(side)
        if isinstance(norm, bool) or not isinstance(norm, int | float) or not 0 < norm < np.inf:
            raise CheckpointError(f"{path}: {key}.{side} must be a positive number; got {norm!r}.")
        scales.append(sqrt(d_model) / norm)
    return scales[0], scales[1]


def _same_dtype(path: Path, facts: dict[str, Any], *arrays: Matrix) -> None:
    """Refuse weights that are stored as something else than the hyperparams say."""
    said = str(facts.get("dtype", "")).removeprefix("torch.")
    for array in arrays:
        if said and dtype_name(array) != said:
            raise CheckpointError(
                f"{path}: the weights are stored as {dtype_name(array)}, "
                f"but dtype in {FACTS} is {facts['dtype']!r}."
            )


def named(path: str) -> Named:
    """The site by the last part of a path that is a name of Llama Scope's."""
    for part in reversed(path.split("/")):
        try:
            return Named(parse_name(part)[0])
        except ValueError:
            continue
    return Named()


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    named=named,
    releases="Llama Scope",
    example='{repo: "fnlp/Llama3_1-8B-Base-LX{position}-8x", '
    'folder: "Llama3_1-8B-Base-L{layer}{position}-8x"}',
)
