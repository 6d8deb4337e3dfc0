"""The native layout, which is SAELens': `cfg.json` and `sae_weights.safetensors`.

    W_enc (d_in, d_sae)  b_enc (d_sae)  W_dec (d_sae, d_out)  b_dec (d_out)

With s, the number that a normalisation multiplies every token with (else 1), f, the scaling factor
of a fine-tuning (else 1), and d, a decoder's row, an SAE is

    u_i = s W_i . x, less W_i . b_dec where apply_b_dec_to_input
    z_i = h_i = u_i + b_enc_i where its gate is open, else 0
    x_hat = (sum_i z_i f_i d_i + b_dec) / s

and the gates of the architectures, as SAELens 1 to 6 write them, are

    standard                h_i > 0
    topk                    the k largest of max(h, 0)
    jumprelu                h_i > max(threshold_i, 0)
    batchtopk (training)    h_i > max(topk_threshold, 0), and so for matryoshka_batchtopk
    gated                   u_i + b_gate_i > 0 and z_i > 0, where z_i = e^r_mag_i u_i + b_mag_i;
                            that is z_i > max(b_mag_i - e^r_mag_i b_gate_i, 0)

With rescale_acts_by_decoder_norm h_i stands for h_i |d_i| / s, and decoder rows have norm one.
Transcoders are standard and jumprelu ones whose output stands for another place, some with a
product W_skip x added to it; of old ones b_dec belongs to what they read, b_dec_out to the output.

Each key of cfg.json is in one of three tables: `DECIDES`, what the arithmetic follows; `NEUTRAL`,
what is read with one value alone; `known.SAE_LENS`, what changes no number. A key or a tensor in
none of them is refused by name.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.io import write_json, write_tensors
from saegrid.base.tensors import Tensors, dtype_name, open_tensors, widen
from saegrid.base.words import Site
from saegrid.saes.centring import FOLDED, KEY, KWARGS, check_folded, is_centred
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
from saegrid.saes.fronts import CONSTANT_NORM, LAYER_NORM, Front
from saegrid.saes.hooks import hook_of, site_of
from saegrid.saes.known import FROM_PRETRAINED, SAE_LENS, words
from saegrid.saes.norms import project, row_norms
from saegrid.saes.sae import SAE, Decoder, Encoder

FACTS, WEIGHTS, SCALER = "cfg.json", "sae_weights.safetensors", "activation_scaler.json"


class Kind(NamedTuple):
    """An architecture."""

    gate: str
    """relu, topk, threshold, batch or gated."""
    transcoder: bool = False
    skip: bool = False


KINDS = {
    "standard": Kind("relu"),
    "topk": Kind("topk"),
    "jumprelu": Kind("threshold"),
    "gated": Kind("gated"),
    "batchtopk": Kind("batch"),
    "matryoshka_batchtopk": Kind("batch"),
    "transcoder": Kind("relu", transcoder=True),
    "skip_transcoder": Kind("relu", transcoder=True, skip=True),
    "jumprelu_transcoder": Kind("threshold", transcoder=True),
    "jumprelu_skip_transcoder": Kind("threshold", transcoder=True, skip=True),
}
TENSORS = {
    "relu": ("b_enc",),
    "topk": ("b_enc",),
    "threshold": ("b_enc", "threshold", "log_threshold"),
    "batch": ("b_enc", "topk_threshold"),
    # Some files have a b_enc beside these; no version's gated encoder reads it.
    "gated": ("b_gate", "b_mag", "r_mag", "b_enc"),
}
"""Tensors of each gate beside the matrices and b_dec."""
FACTORS = ("scaling_factor", "finetuning_scaling_factor")
"""Names of the tensor that SAELens 1 to 5 multiply codes with before they are decoded."""

AVERAGE, SCALAR, FACTOR = (
    "expected_average_only_in",
    "constant_scalar_rescale",
    "activation_normalization_factor",
)
FRONTS = {front.name: front for front in (LAYER_NORM, CONSTANT_NORM)}
"""Normalisations by the token's own numbers."""

DECIDES = words(
    """
    architecture activation_fn activation_fn_str activation_fn_kwargs k rescale_acts_by_decoder_norm
    d_in d_sae d_out apply_b_dec_to_input finetuning_scaling_factor normalize_activations
    activation_normalization_factor norm_scaling_factor hook_name hook_point hook_name_out
    hf_hook_name hf_hook_name_out model_from_pretrained_kwargs metadata
    """
)
NEUTRAL = words(
    "reshape_activations hook_head_index hook_head_index_out hook_point_head_index",
)
IN_METADATA = words(
    """
    hook_name hook_name_out hf_hook_name hf_hook_name_out hook_head_index hook_head_index_out
    model_from_pretrained_kwargs site
    """
)
"""Keys that are read in `metadata`; all but `site`, which is ours, may stand beside it too."""


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
    path, weights = Path(folder) / FACTS, reading.weights(folder, WEIGHTS)
    return view(path, read_facts(path), lambda: open_tensors(weights), norms, reading)


def view(
    path: Path,
    cfg: dict[str, Any],
    weights: Callable[[], Tensors],
    norms: np.ndarray | None = None,
    reading: Reading = READ,
) -> SAE:
    """The SAE of a config and its tensors; `path` names the config in messages."""
    d_in, d_sae = (require(path, cfg, key, int) for key in ("d_in", "d_sae"))
    architecture, k = _architecture(path, cfg, reading)
    kind = KINDS[architecture]
    kwargs = require(path, {KWARGS: _said(path, cfg, KWARGS) or {}}, KWARGS, dict)
    said = cfg | _metadata(path, cfg) | {KWARGS: kwargs}
    hook = _hook(path, cfg)
    site = _site(path, said, hook, reading)
    writes = _writes(path, cfg, said, kind, hook, reading)
    d_out = _width(path, cfg, d_in, writes)
    _neutral(path, cfg, site)
    _known_keys(path, cfg, kwargs, reading)
    check_folded(path, said, site)
    centred = is_centred(path, said, site, reading)
    normalisation, factor, front = _normalisation(path, cfg, writes, centred, reading)
    _check_written(path, said, writes, centred, reading)
    unit = _flag(path, cfg, "rescale_acts_by_decoder_norm", False)
    if unit and kind.gate not in ("topk", "batch"):
        supported(path, "rescale_acts_by_decoder_norm", unit, False)

    tensors = weights()
    _check_names(tensors, kind)
    decoder = _decoder(path, cfg, tensors, norms, factor, d_out)
    b_dec, shift = _biases(path, cfg, tensors, kind, d_in, d_out)
    columns = tensors.matrix("W_enc", (d_in, d_sae))
    read = columns.columns
    away = project(read, d_sae, shift)
    scale, bias, threshold = _gate(tensors, kind, d_sae, factor, away)
    if unit:
        scale, bias = scale * decoder.norms, bias * decoder.norms
        # A training's threshold is of codes before s divides the decoder.
        threshold = threshold if threshold is None else threshold / factor
    skip = tensors.get("W_skip", (d_out, d_in)) if kind.skip else None
    encoder = Encoder(
        d_in,
        d_sae,
        scale,
        bias,
        threshold,
        k,
        dtype_name(columns),
        read,
        fill=read,
        centred=centred and front is None,
        front=front,
    )
    facts = {"format": "sae_lens", "architecture": architecture, "hook": hook}
    facts |= {"dtype": encoder.dtype, "scale": "unit_decoder" if unit else "stored"}
    facts |= {"centred": centred, "normalisation": normalisation}
    if normalisation in (AVERAGE, SCALAR):
        facts["input_scale"] = factor
    facts |= {"folded": _folded(kind, factor, unit, shift, decoder, centred, writes)}
    facts |= {"gate": _described(encoder)}
    if said.get("model_name"):
        facts["model_name"] = said["model_name"]
    if k is not None:
        facts["k"] = k
    return SAE(
        encoder, decoder, b_dec / factor, unit, facts=facts, site=site, writes=writes, skip=skip
    )


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


def _text(path: Path, cfg: dict[str, Any], key: str, *earlier: str) -> str | None:
    value = _said(path, cfg, key, *earlier)
    return None if value is None else require(path, {key: value}, key, str)


# --- what it is -----------------------------------------------------------------------------------


def _architecture(path: Path, cfg: dict[str, Any], reading: Reading) -> tuple[str, int | None]:
    """The architecture by which codes are made, and k of topk.

    SAELens 3 to 5 write a TopK SAE as `standard` with the activation function topk.
    """
    known = cfg.get("architecture")
    architecture = "standard" if known is None else known
    supported(path, "architecture", architecture, *KINDS)
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
    if KINDS[architecture].gate == "batch":  # k is an average that the training kept to
        return architecture, None
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
    """The name of the place where the SAE reads, as the file says."""
    hook = _text(path, cfg, "hook_name", "hook_point")
    return hook or _text(path, cfg, "hf_hook_name")


def _site(path: Path, said: dict[str, Any], hook: str | None, reading: Reading) -> Site | None:
    """The site where the SAE reads: as our own trainings say, as its hook says, else as asked."""
    model = str(said.get("model_name") or "")
    if said.get("site") is not None:
        own = require(path, said, "site", str)
        try:
            site = Site.parse(own)
        except ValueError as problem:
            raise CheckpointError(f"{path}: metadata.site: {problem}") from None
        named = site_of(hook) if hook else None
        if named is not None and not named.is_same(site):
            raise CheckpointError(
                f"{path}: metadata.site is {own!r}, but hook_name {hook!r} is {named}; leave the "
                "one that is right."
            )
        return site
    if hook is None:
        return reading.site
    site = site_of(hook, model)
    _check_other_name(path, said, "hook_name", hook, site, model)
    return site


def _check_other_name(
    path: Path, said: dict[str, Any], key: str, hook: str, site: Site | None, model: str
) -> None:
    """CheckpointError where the name by Hugging Face's modules means another site."""
    other = said.get(f"hf_{key}")
    of_module = site_of(other, model) if isinstance(other, str) else None
    if site is not None and of_module is not None and not of_module.is_same(site):
        raise CheckpointError(
            f"{path}: {key} {hook!r} is {site}, but hf_{key} {other!r} is {of_module}; take out "
            "the one that is wrong."
        )


def _writes(
    path: Path,
    cfg: dict[str, Any],
    said: dict[str, Any],
    kind: Kind,
    hook: str | None,
    reading: Reading,
) -> Site | None:
    """The site that a transcoder writes; None of an SAE."""
    key, model = "hook_name_out", str(said.get("model_name") or "")
    out = _text(path, cfg, key) or _text(path, cfg, f"hf_{key}")
    if out is None and kind.transcoder:
        if reading.writes is None:
            raise CheckpointError(
                f"{path}: the architecture is {cfg['architecture']!r}, but {key} is not there. "
                "Write `writes: m`, or the position that it writes, at this SAE in the config."
            )
        return reading.writes
    if out is None or (out == hook and not kind.transcoder):
        return None
    writes = site_of(out, model)
    if writes is None:
        places = ", ".join(repr(hook_of(Site(7, position))) for position in "AMR")
        raise CheckpointError(f"{path}: {key} is {out!r}; supported: {places}, ...")
    _check_other_name(path, said, key, out, writes, model)
    reads = site_of(hook, model) if hook else reading.site
    same = reads is not None and writes.is_same(reads)
    return None if same and not kind.transcoder else writes


def _width(path: Path, cfg: dict[str, Any], d_in: int, writes: Site | None) -> int:
    """Channels of the reconstruction."""
    if cfg.get("d_out") is None:
        return d_in
    d_out = require(path, cfg, "d_out", int)
    if writes is None:
        supported(path, "d_out", d_out, d_in)
    return d_out


def _neutral(path: Path, cfg: dict[str, Any], site: Site | None) -> None:
    """CheckpointError where a key of `NEUTRAL` asks for what is not done."""
    for key in ("hook_head_index", "hook_head_index_out", "hook_point_head_index"):
        supported(path, key, _said(path, cfg, key), None)
    # The heads side by side are what is captured at Z.
    shapes = ("none", "hook_z") if site is not None and site.position == "Z" else ("none",)
    shape = cfg.get("reshape_activations")
    supported(path, "reshape_activations", shape or "none", *shapes)


def _known_keys(path: Path, cfg: dict[str, Any], kwargs: dict[str, Any], reading: Reading) -> None:
    """CheckpointError where the file has a key that is in none of the tables."""
    check_keys(path, cfg, DECIDES | NEUTRAL, SAE_LENS, reading)
    check_keys(path, _metadata(path, cfg), IN_METADATA, SAE_LENS, reading, "metadata.")
    processing = {KEY}.union(*FOLDED.values())
    check_keys(path, kwargs, processing, FROM_PRETRAINED, reading, f"{KWARGS}.")


# --- what goes in and comes out -------------------------------------------------------------------


def _normalisation(
    path: Path, cfg: dict[str, Any], writes: Site | None, centred: bool, reading: Reading
) -> tuple[str, float, Front | None]:
    """The normalisation of what goes in: its name, the one number that it multiplies every token
    with, and what it does to each token by the token's own numbers."""
    key = "normalize_activations"
    name = cfg.get(key)
    if name is None or isinstance(name, bool):  # older versions say whether there is any
        name = AVERAGE if name else "none"
    supported(path, key, name, "none", AVERAGE, SCALAR, *FRONTS)
    if name != "none" and writes is not None:
        raise CheckpointError(
            f"{path}: {key} is {name!r} of a transcoder, whose output stands for another place; "
            "supported: 'none'."
        )
    if name == CONSTANT_NORM.name and centred:
        raise CheckpointError(
            f"{path}: {key} is {name!r} of centred activations; supported there: 'none', "
            f"{AVERAGE!r}, {LAYER_NORM.name!r}."
        )
    if name != AVERAGE and reading.input_scale is not None:
        raise CheckpointError(
            f"{path}: input_scale is {reading.input_scale!r} in the config, but {key} is {name!r}, "
            "which has no such number. Take it out."
        )
    if name == AVERAGE:
        return name, _average(path, cfg, reading), None
    if name == SCALAR:
        return name, _positive(path, FACTOR, require(path, cfg, FACTOR, int, float)), None
    if cfg.get(FACTOR) not in (None, 1):
        raise CheckpointError(
            f"{path}: {FACTOR} is {cfg[FACTOR]!r}, but {key} is {name!r}. Correct the one that is "
            "wrong."
        )
    return name, 1.0, FRONTS.get(name)


def _average(path: Path, cfg: dict[str, Any], reading: Reading) -> float:
    """The number that makes activations of the norm sqrt(d_in) on average, as it was measured."""
    scaler, key = path.with_name(SCALER), "scaling_factor"
    values = {"norm_scaling_factor": cfg.get("norm_scaling_factor")}
    if scaler.is_file():
        values[f"{key} in {SCALER}"] = read_facts(scaler).get(key)
    values["input_scale in the config"] = reading.input_scale
    values = {name: value for name, value in values.items() if value is not None}
    if not values:
        raise CheckpointError(
            f"{path}: normalize_activations is {AVERAGE!r}, but no file says by which number "
            f"activations are multiplied ({SCALER} does, where SAELens wrote it). Write "
            "`input_scale: ...`, sqrt(d_in) over the mean norm of the activations that it was "
            "trained on, at this SAE in the config."
        )
    numbers = {name: _positive(path, name, value) for name, value in values.items()}
    first = next(iter(numbers.values()))
    if not np.allclose(list(numbers.values()), first, rtol=1e-6, atol=0):
        said = " and ".join(f"{name} is {value!r}" for name, value in numbers.items())
        raise CheckpointError(f"{path}: {said}; leave the one that is right.")
    return first


def _positive(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        raise CheckpointError(f"{path}: {name} must be a positive number; got {value!r}.")
    return float(value)


def _check_written(
    path: Path, said: dict[str, Any], writes: Site | None, centred: bool, reading: Reading
) -> None:
    """CheckpointError where a transcoder belongs to a model whose writing weights are centred."""
    if writes is not None and (centred or is_centred(path, said, writes, reading)):
        raise CheckpointError(
            f"{path}: {KWARGS}.{KEY} is True of a transcoder, whose output at {writes} would be "
            "less its mean over channels; supported: false."
        )


def _check_names(tensors: Tensors, kind: Kind) -> None:
    """CheckpointError where a file holds a tensor that an SAE of this kind does not have."""
    more = {"W_skip"} if kind.skip else set()
    more |= {"b_dec_out"} if kind.transcoder else set()
    check_tensors(tensors, {"W_enc", "W_dec", "b_dec", *TENSORS[kind.gate], *FACTORS, *more})


def _biases(
    path: Path,
    cfg: dict[str, Any],
    tensors: Tensors,
    kind: Kind,
    d_in: int,
    d_out: int,
) -> tuple[np.ndarray, np.ndarray]:
    """b_dec (d_out,), and what is taken off the activations before the encoder (d_in,)."""
    key = "apply_b_dec_to_input"
    old = "b_dec_out" in tensors.arrays
    applied = _flag(path, cfg, key, old or not kind.transcoder)
    if applied and kind.transcoder and not old:
        raise CheckpointError(
            f"{path}: {key} is true of a transcoder, whose b_dec belongs to another place than it "
            "reads; supported: false."
        )
    if applied and not old and d_in != d_out:
        raise CheckpointError(
            f"{path}: {key} is true, but b_dec has {d_out} channels (d_out) and the input {d_in} "
            "(d_in); supported: false."
        )
    b_dec = widen(tensors.get("b_dec_out" if old else "b_dec", (d_out,))).astype(np.float64)
    if not applied:
        return b_dec, np.zeros(d_in)
    return b_dec, widen(tensors.get("b_dec", (d_in,))).astype(np.float64)


def _decoder(
    path: Path,
    cfg: dict[str, Any],
    tensors: Tensors,
    norms: np.ndarray | None,
    scale: float,
    d_out: int,
) -> Decoder:
    """The decoder; the scaling factor of a fine-tuning multiplies its rows, there the codes, and
    the number that multiplies what goes in divides what comes out."""
    d_sae = cfg["d_sae"]
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
    if scale != 1:
        factor = (np.ones(d_sae) if factor is None else factor) / scale
    rows = tensors.matrix("W_dec", (d_sae, d_out))

    def measure() -> np.ndarray:
        if norms is not None:
            return norms
        measured = row_norms(rows)
        return measured if factor is None else measured * np.abs(factor)

    return Decoder(d_out, d_sae, lambda features: rows.array[features], measure, factor)


def _gate(
    tensors: Tensors, kind: Kind, d_sae: int, factor: float, away: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Scale, bias and threshold (feature,) of pre-activations; the threshold is None where k
    decides. `away`: the product of the encoder with what is taken off the activations."""

    def vector(name: str) -> np.ndarray:
        return widen(tensors.get(name, (d_sae,))).astype(np.float64)

    scale = np.full(d_sae, factor)
    if kind.gate == "gated":
        magnitude = np.exp(vector("r_mag"))
        bias, gate = vector("b_mag"), vector("b_gate")
        threshold = np.maximum(bias - magnitude * gate, 0.0)
        return scale * magnitude, bias - magnitude * away, threshold
    bias = vector("b_enc") - away
    if kind.gate == "topk":
        return scale, bias, None
    if kind.gate == "relu":
        return scale, bias, np.zeros(d_sae)
    if kind.gate == "batch":
        threshold = np.full(d_sae, _single(tensors, "topk_threshold"))
    elif "log_threshold" in tensors.arrays and "threshold" not in tensors.arrays:
        threshold = np.exp(vector("log_threshold"))
    else:
        threshold = vector("threshold")
    # A negative threshold opens nothing that the ReLU before it has not let through.
    return scale, bias, np.maximum(threshold, 0.0)


def _single(tensors: Tensors, name: str) -> float:
    """The one number of a tensor, of any float type."""
    array = tensors.arrays.get(name)
    if array is None:
        known = ", ".join(sorted(tensors.arrays))
        raise CheckpointError(
            f"{tensors.path}: the tensor {name!r} is missing; the file holds {known}."
        )
    if array.size != 1 or array.dtype.kind != "f":
        raise CheckpointError(
            f"{tensors.path}: the tensor {name!r} must be one number; got {array.shape} "
            f"{array.dtype}."
        )
    return float(array.reshape(()))


def _folded(
    kind: Kind,
    factor: float,
    unit: bool,
    shift: np.ndarray,
    decoder: Decoder,
    centred: bool,
    writes: Site | None,
) -> list[str]:
    """The changes to the numbers of the file, in plain words."""
    done = {
        "mean over channels taken off": centred,
        f"activations times {factor:.6g}, output divided by it": factor != 1,
        "b_dec taken off the input in the encoder's bias": bool(shift.any()),
        "gate and magnitude in one threshold": kind.gate == "gated",
        "decoder norms in the encoder": unit,
        "scaling factor in the decoder": decoder.factor is not None and factor == 1,
        "W_skip added to the output": kind.skip,
        f"output at {writes}": writes is not None,
    }
    return [words for words, is_done in done.items() if is_done]


def _described(encoder: Encoder) -> str:
    """The gate in plain words."""
    if encoder.threshold is None:
        return f"the {encoder.k} largest of a token"
    low, high = encoder.threshold.min(), encoder.threshold.max()
    return f"above {low:.6g}" if low == high else f"above {low:.6g} to {high:.6g} by feature"


def _flag(path: Path, cfg: dict[str, Any], key: str, default: bool) -> bool:
    return require(path, {key: default} | cfg, key, bool)


# --- writing --------------------------------------------------------------------------------------


def config(architecture: str, site: Site, d_in: int, d_sae: int, **more: Any) -> dict[str, Any]:
    """The cfg.json of an SAE; `metadata` in `more` is added to ours."""
    supported(Path(FACTS), "architecture", architecture, *KINDS)
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
    d_in, d_sae, kind = cfg["d_in"], cfg["d_sae"], KINDS[cfg["architecture"]]
    d_out = cfg.get("d_out", d_in)
    shapes = {"W_enc": (d_in, d_sae), "b_enc": (d_sae,), "W_dec": (d_sae, d_out), "b_dec": (d_out,)}
    if kind.gate == "threshold":
        shapes["threshold"] = (d_sae,)
    if kind.skip:
        shapes["W_skip"] = (d_out, d_in)
    actual = {name: tuple(array.shape) for name, array in tensors.items()}
    if actual != shapes:
        raise ValueError(f"Tensors of a {cfg['architecture']} SAE must be {shapes}; got {actual}.")
    write_tensors(Path(folder) / WEIGHTS, tensors, spec)
    write_json(Path(folder) / FACTS, cfg)


FORMAT = Format((FACTS, WEIGHTS), open_checkpoint, optional=(SCALER,))
