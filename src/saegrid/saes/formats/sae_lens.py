"""The native layout, which is SAELens': `cfg.json` and `sae_weights.safetensors`.

    W_enc (d_in, d_sae)  b_enc (d_sae)  W_dec (d_sae, d_in)  b_dec (d_in)  threshold (d_sae)

What is read: the architectures standard, jumprelu and topk, without normalisation of the input.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.io import write_json, write_tensors
from saegrid.base.tensors import Tensors, dtype_name, open_tensors, widen
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Format, read_facts, require, supported
from saegrid.saes.hooks import hook_of, site_of
from saegrid.saes.norms import project, row_norms
from saegrid.saes.sae import SAE, Decoder, Encoder, blocks

FACTS, WEIGHTS = "cfg.json", "sae_weights.safetensors"
ARCHITECTURES = ("standard", "jumprelu", "topk")


def open_checkpoint(folder: str | Path, norms: np.ndarray | None = None) -> SAE:
    """The SAE in a folder with cfg.json and sae_weights.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the rows of W_dec, where they are known already.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path = Path(folder) / FACTS
    return view(path, read_facts(path), lambda: open_tensors(Path(folder) / WEIGHTS), norms)


def view(
    path: Path,
    cfg: dict[str, Any],
    weights: Callable[[], Tensors],
    norms: np.ndarray | None = None,
) -> SAE:
    """The SAE of a config and its tensors; `path` names the config in messages."""
    supported(path, "architecture", cfg.get("architecture", "standard"), *ARCHITECTURES)
    for key in ("normalize_activations", "reshape_activations"):
        supported(path, key, cfg.get(key, "none"), "none")
    d_model, d_sae = (require(path, cfg, key, int) for key in ("d_in", "d_sae"))
    tensors = weights()
    rows = tensors.matrix("W_dec", (d_sae, d_model))
    measure = (lambda: row_norms(rows)) if norms is None else (lambda: norms)
    decoder = Decoder(d_model, d_sae, lambda features: rows.array[features], measure)
    b_dec = widen(tensors.get("b_dec", (d_model,))).astype(np.float64)
    unit = _flag(path, cfg, "rescale_acts_by_decoder_norm", False)
    encoder = _encoder(path, cfg, tensors, b_dec, decoder.norms if unit else np.ones(d_sae))
    hook = _hook(cfg)
    told = {"format": "sae_lens", "architecture": cfg.get("architecture", "standard")}
    told |= {"hook": hook, "dtype": encoder.dtype, "scale": "unit_decoder" if unit else "stored"}
    if encoder.k is not None:
        told["k"] = encoder.k
    return SAE(encoder, decoder, b_dec, unit, facts=told, site=site_of(hook) if hook else None)


def _encoder(
    path: Path, cfg: dict[str, Any], tensors: Tensors, b_dec: np.ndarray, scale: np.ndarray
) -> Encoder:
    """The encoder; `scale` is the decoder's norm where cfg.json says that z is rescaled by it."""
    d_model, d_sae = cfg["d_in"], cfg["d_sae"]
    columns = tensors.matrix("W_enc", (d_model, d_sae))
    bias = widen(tensors.get("b_enc", (d_sae,))).astype(np.float64)
    if _flag(path, cfg, "apply_b_dec_to_input", True):
        bias = bias - project(columns.columns, d_sae, b_dec)
    k, threshold = None, None
    match cfg.get("architecture", "standard"):
        case "topk":
            k = require(path, cfg, "k", int)
            if not 0 < k <= d_sae:
                raise CheckpointError(f"{path}: k must lie in 1..{d_sae} (d_sae); got {k}.")
        case "jumprelu":
            # A negative threshold opens nothing that the ReLU before it has not let through.
            stored = widen(tensors.get("threshold", (d_sae,))).astype(np.float64)
            threshold = np.maximum(stored, 0.0) * scale
        case _:
            threshold = np.zeros(d_sae)
    dtype = dtype_name(columns)
    read = columns.columns
    return Encoder(d_model, d_sae, scale, bias * scale, threshold, k, dtype, read, fill=read)


def _flag(path: Path, cfg: dict[str, Any], key: str, default: bool) -> bool:
    return require(path, {key: default} | cfg, key, bool)


def _hook(cfg: dict[str, Any]) -> str | None:
    """Where the SAE reads, as the file says (in `metadata`, before version 6 beside it)."""
    metadata = cfg.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return metadata.get("hook_name") or cfg.get("hook_name")


def config(architecture: str, site: Site, d_in: int, d_sae: int, **more: Any) -> dict[str, Any]:
    """The cfg.json of an SAE that reads raw activations; `metadata` in `more` is added to ours."""
    supported(Path(FACTS), "architecture", architecture, *ARCHITECTURES)
    metadata = {"hook_name": hook_of(site), "site": str(site), "hook_head_index": None}
    metadata |= {"prepend_bos": True, **more.pop("metadata", {})}
    return {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **more,
        "metadata": metadata,
    }


def write_sae_lens(
    folder: str | Path, cfg: dict[str, Any], tensors: dict[str, np.ndarray], spec: str = ""
) -> None:
    """Write cfg.json and sae_weights.safetensors; shapes are checked first.

    The spec stands in the header of the weights: cfg.json holds what SAELens reads, nothing more.
    """
    d_in, d_sae = cfg["d_in"], cfg["d_sae"]
    shapes = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    if cfg["architecture"] == "jumprelu":
        shapes["threshold"] = (d_sae,)
    found = {name: tuple(array.shape) for name, array in tensors.items()}
    if found != shapes:
        raise ValueError(f"Tensors of a {cfg['architecture']} SAE must be {shapes}; got {found}.")
    write_tensors(Path(folder) / WEIGHTS, tensors, spec)
    write_json(Path(folder) / FACTS, cfg)


def export(sae: SAE, folder: str | Path, spec: str = "") -> None:
    """Write any SAE with a threshold as a jumprelu SAE with everything folded, in float32.

    SAELens reads it without knowing of norms or scalings (llama-scope.md 1.11). Needs memory for
    both weight matrices in float32.
    """
    encoder = sae.encoder
    if encoder.threshold is None or sae.site is None:
        raise ValueError("export needs an SAE with a threshold that says which site it reads.")
    shape = (encoder.d_sae, encoder.d_model)
    w_enc, w_dec = np.empty(shape[::-1], np.float32), np.empty(shape, np.float32)
    for start, stop in blocks(encoder.d_sae):
        rows = widen(encoder.rows(start, stop)).astype(np.float64)
        w_enc[:, start:stop] = (rows * encoder.scale[start:stop, None]).T
        gain = sae.gain[start:stop, None]
        w_dec[start:stop] = sae.decoder_rows(np.arange(start, stop)) * gain
    vectors = {"b_enc": encoder.bias, "b_dec": sae.b_dec, "threshold": encoder.threshold}
    tensors = {name: vector.astype(np.float32) for name, vector in vectors.items()}
    cfg = config(
        "jumprelu",
        sae.site,
        encoder.d_model,
        encoder.d_sae,
        apply_b_dec_to_input=False,
        metadata={"exported_from": dict(sae.facts)},
    )
    write_sae_lens(folder, cfg, {"W_enc": w_enc, "W_dec": w_dec, **tensors}, spec)


FORMAT = Format((FACTS, WEIGHTS), open_checkpoint)
