"""Checkpoints of Llamascopium 2, and of its forerunner that made Llama Scope R1 Distill.

With s = sqrt(d_model) / average norm of the activations, which is 1 where it is folded into the
file (`norm_activation: inference`), and n_i = |d_i| where `sparsity_include_decoder_norm` is true,
else 1:

    pre_i = s_in * (W_i . x) + b_i       z_i = pre_i where pre_i * n_i > theta_i, else 0
    y_hat = (sum_i z_i * d_i + b_dec) / s_out

theta is exp(log_jumprelu_threshold), or 0 for relu. Of topk, n_i decides which k stay, so that
there z and its decoder rows are brought to n_i = 1: z_i * |d_i| / s_out.
"""

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import Tensors, is_hollow
from saegrid.base.words import Site
from saegrid.saes import parts
from saegrid.saes.checkpoint import (
    READ,
    Format,
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

FACTS, WEIGHTS = "config.json", "sae_weights.safetensors"
DECIDES = words(
    """
    sae_type hook_point_in hook_point_out d_model expansion_factor use_decoder_bias act_fn
    norm_activation sparsity_include_decoder_norm top_k
    """
)
UNDERSTOOD = {"use_glu_encoder": False, "apply_decoder_bias_to_pre_encoder": False}
"""Keys that decide the arithmetic, with the one value that is read, which is also the default."""
HISTORY = words(
    """
    device dtype seed jump_relu_threshold jumprelu_threshold_window jumprelu_threshold_grad_scale
    force_unit_decoder_norm use_triton_kernel sparsity_threshold_for_triton_spmm_kernel
    sae_pretrained_name_or_path strict_loading
    """
)
MODEL = "llama"
"""Kind of the models that these are made of, whose ln2.hook_normalized is no site."""
NORM = "dataset_average_activation_norm."
OLDER = {
    "W_E": "encoder.weight",
    "W_D": "decoder.weight",
    "b_E": "encoder.bias",
    "b_D": "decoder.bias",
    "activation_function.log_jumprelu_threshold": "log_jumprelu_threshold",
}
"""Names of the tensors today, and those of the forerunner, whose matrices lie the other way."""
THETA = "activation_function.log_jumprelu_threshold"


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE or transcoder in a folder with config.json and sae_weights.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the decoder's rows in the units of the model, where they are
            known already.
        reading: what the study's config says where the files do not.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path = Path(folder) / FACTS
    cfg = read_facts(path)
    _check(path, cfg, reading)
    site, writes = _sites(path, cfg)
    tensors = parts.open_weights(reading.weights(folder, WEIGHTS))
    older = "encoder.weight" in tensors.arrays
    names = OLDER if older else {name: name for name in OLDER}
    used = set(names) if cfg["act_fn"] == "jumprelu" else set(names) - {THETA}
    if not cfg.get("use_decoder_bias", True):
        used -= {"b_D"}
    hooks = (cfg["hook_point_in"], cfg["hook_point_out"])
    check_tensors(tensors, {*(names[name] for name in used), *(NORM + hook for hook in hooks)})
    d_model = require(path, cfg, "d_model", int)
    product = d_model * float(require(path, cfg, "expansion_factor", int, float))
    if not 1 <= product < np.inf or product != int(product):
        raise CheckpointError(
            f"{path}: expansion_factor times d_model must be a whole number; got {product}."
        )
    d_sae = int(product)
    s_in, s_out = _scales(path, cfg, tensors, d_model)
    rows = parts.weights(tensors, names["W_E"], d_sae, d_model, turned=not older)
    bias = parts.vector(tensors, names["b_E"], d_sae)
    decoder = parts.decoder(
        parts.weights(tensors, names["W_D"], d_sae, d_model, turned=older), norms, 1 / s_out
    )
    b_dec = np.zeros(d_model)
    if "b_D" in used:
        b_dec = parts.vector(tensors, names["b_D"], d_model) / s_out
    by_norm = require(path, cfg, "sparsity_include_decoder_norm", bool)
    more = {"architecture": cfg["act_fn"], "s_in": s_in, "s_out": s_out}
    by_k = cfg["act_fn"] == "topk"
    folded = {
        f"activations times {s_in:.6g}, output divided by {s_out:.6g}": (s_in, s_out) != (1, 1),
        "decoder norms in the threshold": by_norm and cfg["act_fn"] == "jumprelu",
        "decoder norms in the encoder": by_norm and by_k,
    }
    if by_k:
        k = parts.check_k(path, require(path, cfg, "top_k", int), d_sae)
        scale = decoder.norms if by_norm else np.ones(d_sae)
        encoder = parts.encoder(rows, bias * scale, k=k, scale=s_in * scale)
        facts = parts.facts("llamascopium", hooks[0], encoder, folded, **more)
        facts["scale"] = "unit_decoder" if by_norm else "stored"
        return SAE(encoder, decoder, b_dec, by_norm, facts, site, writes)
    theta = np.zeros(d_sae)
    if cfg["act_fn"] == "jumprelu":
        theta = np.exp(parts.vector(tensors, names[THETA], d_sae))
    # The norms of the decoder are in the units of the model, the threshold is not.
    threshold = _divided(theta, decoder.norms * s_out) if by_norm else theta
    encoder = parts.encoder(rows, bias, threshold=threshold, scale=s_in)
    facts = parts.facts("llamascopium", hooks[0], encoder, folded, **more)
    return SAE(encoder, decoder, b_dec, False, facts, site, writes)


def _divided(theta: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Thresholds of pre, of those of pre * norm; a feature with norm 0 passes none."""
    return np.where(norms > 0, theta / np.where(norms > 0, norms, 1.0), np.finfo(np.float32).max)


def _check(path: Path, cfg: dict[str, Any], reading: Reading) -> None:
    """CheckpointError where a key asks for what is not done, or is not known."""
    kind = require(path, cfg, "sae_type", str)
    if kind != "sae":
        raise CheckpointError(
            f"{path}: sae_type is {kind!r}; supported: 'sae', an SAE or a transcoder of one layer."
        )
    supported(path, "act_fn", require(path, cfg, "act_fn", str), "relu", "jumprelu", "topk")
    normed = require(path, cfg, "norm_activation", str)
    supported(path, "norm_activation", normed, "dataset-wise", "inference")
    require(path, {"use_decoder_bias": True} | cfg, "use_decoder_bias", bool)
    for key, value in UNDERSTOOD.items():
        supported(path, key, cfg.get(key, value), value)
    check_keys(path, cfg, DECIDES | set(UNDERSTOOD), HISTORY, reading)
    refuse_centred(path, reading)


def _sites(path: Path, cfg: dict[str, Any]) -> tuple[Site, Site | None]:
    """The sites that it reads and, as a transcoder, writes."""
    sites = []
    for key in ("hook_point_in", "hook_point_out"):
        hook = require(path, cfg, key, str)
        site = site_of(hook, MODEL)
        if site is None:
            raise CheckpointError(f"{path}: {key} is {hook!r}, which is no site.")
        sites.append(site)
    return sites[0], None if sites[0] == sites[1] else sites[1]


def _scales(path: Path, cfg: dict[str, Any], tensors: Tensors, d_model: int) -> tuple[float, float]:
    """s_in and s_out: what raw activations were multiplied with in training."""
    if cfg["norm_activation"] == "inference":
        return 1.0, 1.0
    scales = []
    for key in ("hook_point_in", "hook_point_out"):
        name = NORM + cfg[key]
        if name not in tensors.arrays:
            raise CheckpointError(
                f"{tensors.path}: the tensor {name!r} is missing, by which norm_activation "
                f"{cfg['norm_activation']!r} in {path.name} scales what the SAE reads."
            )
        norm = 1.0 if is_hollow() else parts.scalar(tensors, name)
        if not 0 < norm < np.inf:
            raise CheckpointError(f"{tensors.path}: {name!r} must be positive; got {norm!r}.")
        scales.append(sqrt(d_model) / norm)
    return scales[0], scales[1]


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    releases="Llamascopium 2, Llama Scope R1 Distill",
    example="{repo: fnlp/Llama-Scope-R1-Distill, "
    'folder: "400M-Slimpajama-400M-OpenR1-Math-220k/L{layer}R"}',
)
