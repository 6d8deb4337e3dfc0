"""The cfg.json of SAELens: which SAE it describes, where that reads and writes, what goes in.

The functions take the path of the file, for messages, and raise CheckpointError where it says what
is not understood or contradicts itself. Each key is in one of three tables: `DECIDES`, what the
arithmetic follows; `NEUTRAL`, what is read with one value alone; `known.SAE_LENS`, what changes no
number. A key in none of them is refused by name.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.words import Site
from saegrid.saes.centring import FOLDED, KEY, KWARGS, is_centred
from saegrid.saes.checkpoint import Reading, check_keys, read_facts, require, supported
from saegrid.saes.fronts import CONSTANT_NORM, LAYER_NORM, RMS_NORM, Front
from saegrid.saes.hooks import before_gain, hook_of, site_of
from saegrid.saes.known import FROM_PRETRAINED, SAE_LENS, words

SCALER = "activation_scaler.json"
"""File in which SAELens 6 keeps the number that a training multiplies activations with."""


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
AVERAGE, MEASURED = "expected_average_only_in", "norm_scaling_factor"
SCALAR, FACTOR = "constant_scalar_rescale", "activation_normalization_factor"
"""Normalisations by one number for all tokens, and the key of each number."""
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


def metadata_of(path: Path, cfg: dict[str, Any]) -> dict[str, Any]:
    """Facts that version 6 sets apart, and earlier ones write beside the others."""
    return {} if cfg.get("metadata") is None else require(path, cfg, "metadata", dict)


def value_of(path: Path, cfg: dict[str, Any], key: str, *earlier: str) -> Any:
    """The value of a key in `metadata` or beside it, or under an earlier name; None where nowhere.

    CheckpointError where it is said twice, and not the same.
    """
    metadata = metadata_of(path, cfg)
    values = [facts.get(name) for facts in (metadata, cfg) for name in (key, *earlier)]
    values = [value for value in values if value is not None]
    if any(value != values[0] for value in values):
        raise CheckpointError(
            f"{path}: {key} is said twice, as {values[0]!r} and as "
            f"{next(value for value in values if value != values[0])!r}; leave one of them."
        )
    return values[0] if values else None


def _text(path: Path, cfg: dict[str, Any], key: str, *earlier: str) -> str | None:
    value = value_of(path, cfg, key, *earlier)
    return None if value is None else require(path, {key: value}, key, str)


def flag(path: Path, cfg: dict[str, Any], key: str, default: bool) -> bool:
    """True or false as a key says, or the default where it is not there."""
    return require(path, {key: default} | cfg, key, bool)


# --- what it is -----------------------------------------------------------------------------------


def architecture_of(path: Path, cfg: dict[str, Any], reading: Reading) -> tuple[str, int | None]:
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


def hook_name(path: Path, cfg: dict[str, Any]) -> str | None:
    """The name of the place where the SAE reads, as the file says."""
    hook = _text(path, cfg, "hook_name", "hook_point")
    return hook or _text(path, cfg, "hf_hook_name")


def site_read(path: Path, said: dict[str, Any], hook: str | None, reading: Reading) -> Site | None:
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
    site = site_of(hook, model) or before_gain(hook, model)
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


def site_written(
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


def width_written(path: Path, cfg: dict[str, Any], d_in: int, writes: Site | None) -> int:
    """Channels of the reconstruction."""
    if cfg.get("d_out") is None:
        return d_in
    d_out = require(path, cfg, "d_out", int)
    if writes is None:
        supported(path, "d_out", d_out, d_in)
    return d_out


def check_neutral(path: Path, cfg: dict[str, Any], site: Site | None) -> None:
    """CheckpointError where a key of `NEUTRAL` asks for what is not done."""
    for key in ("hook_head_index", "hook_head_index_out", "hook_point_head_index"):
        supported(path, key, value_of(path, cfg, key), None)
    # The heads side by side are what is captured at Z.
    shapes = ("none", "hook_z") if site is not None and site.position == "Z" else ("none",)
    shape = cfg.get("reshape_activations")
    supported(path, "reshape_activations", shape or "none", *shapes)


def check_known(path: Path, cfg: dict[str, Any], kwargs: dict[str, Any], reading: Reading) -> None:
    """CheckpointError where the file has a key that is in none of the tables."""
    check_keys(path, cfg, DECIDES | NEUTRAL, SAE_LENS, reading)
    check_keys(path, metadata_of(path, cfg), IN_METADATA, SAE_LENS, reading, "metadata.")
    processing = {KEY}.union(*FOLDED.values())
    check_keys(path, kwargs, processing, FROM_PRETRAINED, reading, f"{KWARGS}.")


# --- what goes in ---------------------------------------------------------------------------------


def normalisation_of(
    path: Path,
    cfg: dict[str, Any],
    site: Site | None,
    writes: Site | None,
    centred: bool,
    reading: Reading,
) -> tuple[str, float, Front | None]:
    """The normalisation of what goes in: its name, the one number that it multiplies every token
    with, and what it does to each token by the token's own numbers.

    Where the hook point has what the norm of the stream at `site` gives before its gain, that is
    the normalisation, and there is no other.
    """
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
    for number, of in ((MEASURED, AVERAGE), (FACTOR, SCALAR)):
        if name != of and cfg.get(number) not in (None, 1):
            raise CheckpointError(
                f"{path}: {number} is {cfg[number]!r}, but {key} is {name!r}. Correct the one that "
                "is wrong."
            )
    if site is not None and hook_name(path, cfg) == hook_of(site, True) and site.position == "H":
        supported(path, key, name, "none")
        return RMS_NORM.name, 1.0, RMS_NORM
    if name == AVERAGE:
        return name, _average(path, cfg, reading), None
    if name == SCALAR:
        return name, _positive(path, FACTOR, require(path, cfg, FACTOR, int, float)), None
    return name, 1.0, FRONTS.get(name)


def _average(path: Path, cfg: dict[str, Any], reading: Reading) -> float:
    """The number that makes activations of the norm sqrt(d_in) on average, as it was measured."""
    scaler, key = path.with_name(SCALER), "scaling_factor"
    values = {MEASURED: cfg.get(MEASURED)}
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
        all_of = " and ".join(f"{name} is {value!r}" for name, value in numbers.items())
        raise CheckpointError(f"{path}: {all_of}; leave the one that is right.")
    return first


def _positive(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < np.inf:
        raise CheckpointError(f"{path}: {name} must be a positive number; got {value!r}.")
    return float(value)


def check_written(
    path: Path, said: dict[str, Any], writes: Site | None, centred: bool, reading: Reading
) -> None:
    """CheckpointError where a transcoder belongs to a model whose writing weights are centred."""
    if writes is not None and (centred or is_centred(path, said, writes, reading)):
        raise CheckpointError(
            f"{path}: this transcoder belongs to a model with centred writing weights "
            f"({KWARGS}.{KEY}, or centred in the config), whose {writes} is less its mean over "
            "channels; supported: false."
        )
