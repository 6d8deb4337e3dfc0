"""The native layout, which is SAELens': `cfg.json` and `sae_weights.safetensors`.

    W_enc (d_in, d_sae)  b_enc (d_sae)  W_dec (d_sae, d_in)  b_dec (d_in)  threshold (d_sae)

The architectures standard, jumprelu and topk are read as SAELens 1 to 6 write them, without
normalisation of the input. Each key of cfg.json is in one of three tables: `DECIDES`, what the
arithmetic follows; `NEUTRAL`, what is read with one value alone; `known.SAE_LENS`, what changes no
number. A key or a tensor in none of them is refused by name.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.io import write_json, write_tensors
from saegrid.base.tensors import Tensors, dtype_name, open_tensors, widen
from saegrid.base.words import Site
from saegrid.saes.centring import KEY, KWARGS, is_centred
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
from saegrid.saes.hooks import hook_of, site_of
from saegrid.saes.known import FROM_PRETRAINED, SAE_LENS, words
from saegrid.saes.norms import project, row_norms
from saegrid.saes.sae import SAE, Decoder, Encoder, blocks

FACTS, WEIGHTS = "cfg.json", "sae_weights.safetensors"
ARCHITECTURES = ("standard", "jumprelu", "topk")
DECIDES = words(
    """
    architecture activation_fn activation_fn_str activation_fn_kwargs k rescale_acts_by_decoder_norm
    d_in d_sae apply_b_dec_to_input finetuning_scaling_factor hook_name hook_point
    model_from_pretrained_kwargs metadata
    """
)
NEUTRAL = words(
    """
    normalize_activations reshape_activations d_out hook_name_out
    hook_head_index hook_head_index_out hook_point_head_index
    """
)
IN_METADATA = words(
    "hook_name hook_name_out hook_head_index hook_head_index_out model_from_pretrained_kwargs"
)
"""Keys of the first two tables that are also read in `metadata`."""


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The SAE in a folder with cfg.json and sae_weights.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the decoder's rows, where they are known already.
        reading: what the study's config says where the files do not.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path = Path(folder) / FACTS
    return view(
        path, read_facts(path), lambda: open_tensors(Path(folder) / WEIGHTS), norms, reading
    )


def view(
    path: Path,
    cfg: dict[str, Any],
    weights: Callable[[], Tensors],
    norms: np.ndarray | None = None,
    reading: Reading = READ,
) -> SAE:
    """The SAE of a config and its tensors; `path` names the config in messages."""
    d_model, d_sae = (require(path, cfg, key, int) for key in ("d_in", "d_sae"))
    architecture, k = _architecture(path, cfg, reading)
    hook = _hook(path, cfg)
    site = site_of(hook) if hook else None
    _neutral(path, cfg, d_model, hook)
    kwargs = require(path, {KWARGS: _said(path, cfg, KWARGS) or {}}, KWARGS, dict)
    said = cfg | _metadata(path, cfg) | {KWARGS: kwargs}
    centred = is_centred(path, said, site, reading)
    _known_keys(path, cfg, kwargs, reading)
    tensors = weights()
    more = {"jumprelu": {"threshold"}}.get(architecture, set())
    check_tensors(tensors, {"W_enc", "b_enc", "W_dec", "b_dec", *more, *FACTORS})
    unit = _flag(path, cfg, "rescale_acts_by_decoder_norm", False)
    if unit and architecture != "topk":
        supported(path, "rescale_acts_by_decoder_norm", unit, False)
    decoder = _decoder(path, cfg, tensors, norms)
    b_dec = widen(tensors.get("b_dec", (d_model,))).astype(np.float64)
    scale = decoder.norms if unit else np.ones(d_sae)
    encoder = _encoder(path, cfg, tensors, b_dec, scale, architecture, k, centred)
    facts = {"format": "sae_lens", "architecture": architecture, "hook": hook}
    facts |= {"dtype": encoder.dtype, "scale": "unit_decoder" if unit else "stored"}
    facts |= {"centred": centred}
    if centred:
        facts["model_name"] = said.get("model_name")
    if k is not None:
        facts["k"] = k
    return SAE(encoder, decoder, b_dec, unit, facts=facts, site=site)


def _metadata(path: Path, cfg: dict[str, Any]) -> dict[str, Any]:
    """Facts that version 6 sets apart, and earlier ones write beside the others."""
    return {} if cfg.get("metadata") is None else require(path, cfg, "metadata", dict)


def _said(path: Path, cfg: dict[str, Any], key: str, *earlier: str) -> Any:
    """The value of a key in `metadata` or beside it, or under an earlier name; None where nowhere.

    CheckpointError where it is said twice, and not the same.
    """
    metadata = _metadata(path, cfg)
    values = [facts.get(name) for facts in (metadata, cfg) for name in (key, *earlier)]
    values = [value for value in values if value is not None]
    if any(value != values[0] for value in values):
        raise CheckpointError(
            f"{path}: {key} is said twice, as {values[0]!r} and as "
            f"{next(value for value in values if value != values[0])!r}; leave one of them."
        )
    return values[0] if values else None


def _architecture(path: Path, cfg: dict[str, Any], reading: Reading) -> tuple[str, int | None]:
    """The architecture by which codes are made, and k of topk.

    SAELens 3 to 5 write a TopK SAE as `standard` with the activation function topk.
    """
    known = cfg.get("architecture")
    architecture = "standard" if known is None else known
    supported(path, "architecture", architecture, *ARCHITECTURES)
    key, function = _function(path, cfg)
    within = "activation_fn_kwargs"
    kwargs = require(path, {within: cfg.get(within) or {}}, within, dict)
    check_keys(path, kwargs, {"k"}, (), reading, f"{within}.")
    if function == "topk" and architecture == "standard":
        architecture = "topk"
    elif function is not None and (function == "topk") != (architecture == "topk"):
        raise CheckpointError(
            f"{path}: the architecture is {architecture!r} with {function!r} as {key}; these do "
            "not belong together. Correct the one that is wrong."
        )
    ks = {"k": cfg.get("k"), f"{within}.k": kwargs.get("k")}
    ks = {name: value for name, value in ks.items() if value is not None}
    if architecture != "topk":
        for name, value in ks.items():
            how = "not said" if known is None else f"{architecture!r} with {function or 'relu'!r}"
            raise CheckpointError(
                f"{path}: {name} is {value!r}, but the architecture is {how}. If this is a TopK "
                'SAE, add "architecture": "topk"; else take k out.'
            )
        return architecture, None
    if len(set(map(repr, ks.values()))) > 1:
        raise CheckpointError(
            f"{path}: k is {ks['k']!r} and {within}.k is {kwargs['k']!r}; leave the one that is "
            "right."
        )
    k = require(path, {"k": next(iter(ks.values()))} if ks else cfg, "k", int)
    if not 0 < k <= cfg["d_sae"]:
        raise CheckpointError(f"{path}: k must lie in 1..{cfg['d_sae']} (d_sae); got {k}.")
    return architecture, k


def _function(path: Path, cfg: dict[str, Any]) -> tuple[str, str | None]:
    """The key that names an activation function, and the function; None where none does."""
    keys = [key for key in ("activation_fn_str", "activation_fn") if cfg.get(key) is not None]
    for key in keys:
        supported(path, key, cfg[key], "relu", "topk")
    if len({cfg[key] for key in keys}) > 1:
        both = " and ".join(f"{key} {cfg[key]!r}" for key in keys)
        raise CheckpointError(f"{path}: {both} differ; leave the one that is right.")
    return (keys[0], cfg[keys[0]]) if keys else ("activation_fn_str", None)


def _hook(path: Path, cfg: dict[str, Any]) -> str | None:
    """The hook point at which the SAE reads, as the file says."""
    hook = _said(path, cfg, "hook_name", "hook_point")
    return None if hook is None else require(path, {"hook_name": hook}, "hook_name", str)


def _neutral(path: Path, cfg: dict[str, Any], d_model: int, hook: str | None) -> None:
    """CheckpointError where a key of `NEUTRAL` asks for what is not done."""
    out = _said(path, cfg, "hook_name_out")
    if out not in (None, hook):
        raise CheckpointError(
            f"{path}: hook_name {hook!r} and hook_name_out {out!r} differ: this is a transcoder; "
            "supported: SAEs, which read and write at one place."
        )
    supported(path, "d_out", cfg.get("d_out") or d_model, d_model)
    for key in ("hook_head_index", "hook_head_index_out", "hook_point_head_index"):
        supported(path, key, _said(path, cfg, key), None)
    for key in ("normalize_activations", "reshape_activations"):
        value = cfg.get(key)
        supported(path, key, "none" if value in (None, False) else value, "none")


def _known_keys(path: Path, cfg: dict[str, Any], kwargs: dict[str, Any], reading: Reading) -> None:
    """CheckpointError where the file has a key that is in none of the tables."""
    check_keys(path, cfg, DECIDES | NEUTRAL, SAE_LENS, reading)
    check_keys(path, _metadata(path, cfg), IN_METADATA, SAE_LENS, reading, "metadata.")
    check_keys(path, kwargs, {KEY}, FROM_PRETRAINED, reading, f"{KWARGS}.")


FACTORS = ("scaling_factor", "finetuning_scaling_factor")
"""Names of the tensor that SAELens 1 to 5 multiply codes with before they are decoded."""


def _decoder(
    path: Path, cfg: dict[str, Any], tensors: Tensors, norms: np.ndarray | None
) -> Decoder:
    """The decoder; the scaling factor of a fine-tuning multiplies its rows, there the codes."""
    d_model, d_sae = cfg["d_in"], cfg["d_sae"]
    tuned, factor = _flag(path, cfg, "finetuning_scaling_factor", False), None
    for name in FACTORS:
        if name not in tensors.arrays:
            continue
        factor = widen(tensors.get(name, (d_sae,))).astype(np.float64)
        if not tuned:
            if not np.allclose(factor, 1):
                raise CheckpointError(
                    f"{tensors.path}: the tensor {name!r} is not 1 everywhere, but "
                    f"finetuning_scaling_factor in {path.name} is not true. Correct the one that "
                    "is wrong."
                )
            factor = None
    rows = tensors.matrix("W_dec", (d_sae, d_model))

    def measure() -> np.ndarray:
        if norms is not None:
            return norms
        measured = row_norms(rows)
        return measured if factor is None else measured * np.abs(factor)

    return Decoder(d_model, d_sae, lambda features: rows.array[features], measure, factor)


def _encoder(
    path: Path,
    cfg: dict[str, Any],
    tensors: Tensors,
    b_dec: np.ndarray,
    scale: np.ndarray,
    architecture: str,
    k: int | None,
    centred: bool,
) -> Encoder:
    """The encoder; `scale` is the decoder's norm where cfg.json says that z is rescaled by it."""
    d_model, d_sae = cfg["d_in"], cfg["d_sae"]
    columns = tensors.matrix("W_enc", (d_model, d_sae))
    bias = widen(tensors.get("b_enc", (d_sae,))).astype(np.float64)
    if _flag(path, cfg, "apply_b_dec_to_input", True):
        bias = bias - project(columns.columns, d_sae, b_dec)
    threshold = None if architecture == "topk" else np.zeros(d_sae)
    if architecture == "jumprelu":
        # A negative threshold opens nothing that the ReLU before it has not let through.
        stored = widen(tensors.get("threshold", (d_sae,))).astype(np.float64)
        threshold = np.maximum(stored, 0.0)
    dtype, read = dtype_name(columns), columns.columns
    return Encoder(
        d_model, d_sae, scale, bias * scale, threshold, k, dtype, read, fill=read, centred=centred
    )


def _flag(path: Path, cfg: dict[str, Any], key: str, default: bool) -> bool:
    return require(path, {key: default} | cfg, key, bool)


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
    actual = {name: tuple(array.shape) for name, array in tensors.items()}
    if actual != shapes:
        raise ValueError(f"Tensors of a {cfg['architecture']} SAE must be {shapes}; got {actual}.")
    write_tensors(Path(folder) / WEIGHTS, tensors, spec)
    write_json(Path(folder) / FACTS, cfg)


def export(sae: SAE, folder: str | Path, spec: str = "") -> None:
    """Write any SAE with a threshold as a jumprelu SAE with everything folded, in float32.

    SAELens reads it without knowing of norms or scalings (llama-scope.md 1.11); of a
    centred SAE the config says so, as SAELens' own do. Needs memory for both weight matrices in
    float32.
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
    metadata: dict[str, Any] = {"exported_from": dict(sae.facts)}
    if encoder.centred:
        metadata |= {"model_name": sae.facts.get("model_name"), KWARGS: {KEY: True}}
    shape = encoder.d_model, encoder.d_sae
    cfg = config("jumprelu", sae.site, *shape, apply_b_dec_to_input=False, metadata=metadata)
    write_sae_lens(folder, cfg, {"W_enc": w_enc, "W_dec": w_dec, **tensors}, spec)


FORMAT = Format((FACTS, WEIGHTS), open_checkpoint)
