"""Transcoders of circuit-tracer: one safetensors file a layer, and config.yaml for all of them.

    pre_i = W_i . x + b_enc_i       z_i = pre_i where pre_i > threshold_i, else 0
    y_hat = sum_i z_i * d_i + b_dec + W_skip x

The threshold is 0 where the file has none. The config names the hook points where all of them read
and write; the layer stands in the name of the file, `layer_7.safetensors`.

`mwhanna_transcoder` is the same without a config: repositories that have none. Their transcoders
read the MLP's input behind its norm (I) and write its output (M).
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.io import read_yaml
from saegrid.base.tensors import Tensors
from saegrid.base.words import Site
from saegrid.saes import parts
from saegrid.saes.checkpoint import (
    READ,
    Format,
    Named,
    Reading,
    check_keys,
    check_tensors,
    require,
    supported,
)
from saegrid.saes.formats.gemma_scope import refuse_centred
from saegrid.saes.fronts import RMS_NORM, Front
from saegrid.saes.hooks import NORMS_BEHIND, before_gain
from saegrid.saes.known import words
from saegrid.saes.sae import SAE

FACTS, WEIGHTS, EACH = "config.yaml", "layer_0.safetensors", "layer_{layer}.safetensors"
THRESHOLD, SKIP = "activation_function.threshold", "W_skip"
TENSORS = ("W_enc", "W_dec", "b_enc", "b_dec", THRESHOLD, SKIP)
DECIDES = words("model_kind model_name feature_input_hook feature_output_hook")
NEUTRAL = words("scan transcoders repo_id revision subfolder")
READS = {"mlp.hook_in": "I", "hook_resid_mid": "H", "hook_mlp_in": "H"}
WRITES = {"mlp.hook_out": "M", "hook_mlp_out": "M"}
"""Positions by the hook point's name in a block. What ln2.hook_normalized has, before the gain of
the norm, is no site, and is read of Gemma alone, at H through `fronts.RMS_NORM`."""


def open_checkpoint(
    folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ
) -> SAE:
    """The transcoder of one layer in a folder with config.yaml and layer_{N}.safetensors.

    Args:
        folder: where the two files lie.
        norms: (feature,) norms of the decoder's rows, where they are known already.
        reading: what the study's config says where the files do not, among it the file.

    Raises:
        CheckpointError: names the file, and the key or tensor that is not understood.
    """
    path, file = Path(folder) / FACTS, reading.weights(folder, WEIGHTS)
    cfg = _read(path)
    kind = require(path, cfg, "model_kind", str)
    supported(path, "model_kind", kind, "transcoder_set")
    check_keys(path, cfg, DECIDES, NEUTRAL, reading)
    layer = _layer(file)
    model, hook = str(cfg.get("model_name")), str(cfg.get("feature_input_hook"))
    normalised = before_gain(f"blocks.{layer}.{hook}", model)
    site = normalised or _site(path, cfg, "feature_input_hook", READS, layer)
    writes = _site(path, cfg, "feature_output_hook", WRITES, layer)
    front = RMS_NORM if normalised else None
    return _view(file, ("circuit_tracer", hook), norms, reading, site, writes, front)


def open_alone(folder: str | Path, norms: np.ndarray | None = None, reading: Reading = READ) -> SAE:
    """The transcoder of one layer in a folder with layer_{N}.safetensors; as `open_checkpoint`."""
    file = reading.weights(folder, WEIGHTS)
    layer = _layer(file)
    names = ("mwhanna_transcoder", "as the format has it")
    return _view(file, names, norms, reading, Site(layer, "I"), Site(layer, "M"))


def _read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    import yaml

    try:
        cfg = read_yaml(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: the file is not there.") from None
    except OSError as problem:
        raise CheckpointError(f"{path}: the file cannot be read: {problem.strerror}.") from None
    except (yaml.YAMLError, ValueError) as problem:
        raise CheckpointError(f"{path}: this is no YAML: {problem}.") from None
    if not isinstance(cfg, dict):
        raise CheckpointError(f"{path}: keys and values were expected, got {type(cfg).__name__}.")
    return cfg


def _layer(file: Path) -> int:
    """The layer in the name of a file."""
    match = re.fullmatch(r"layer_(\d+)\.safetensors", file.name)
    if match is None:
        raise CheckpointError(
            f"{file}: the file must be named layer_7.safetensors for layer 7; set "
            "`file: layer_{layer}.safetensors` at this SAE in the config."
        )
    return int(match[1])


def _site(path: Path, cfg: dict[str, Any], key: str, places: dict[str, str], layer: int) -> Site:
    hook = require(path, cfg, key, str)
    behind = hook == "mlp.hook_out" and NORMS_BEHIND.search(str(cfg.get("model_name")).lower())
    if hook not in places or behind:
        raise CheckpointError(
            f"{path}: {key} is {hook!r}, which is no site of this model; supported: "
            f"{', '.join(places)}."
        )
    return Site(layer, places[hook])


def _view(
    file: Path,
    names: tuple[str, str],
    norms: np.ndarray | None,
    reading: Reading,
    site: Site,
    writes: Site,
    front: Front | None = None,
) -> SAE:
    """The transcoder of a file of weights; `names`: of the format, and of where it reads."""
    refuse_centred(file, reading)
    tensors = parts.open_weights(file)
    check_tensors(tensors, TENSORS)
    d_sae, d_in = parts.shape_of(tensors, "W_enc", turned=False)
    d_out = tensors.arrays["b_dec"].shape[-1] if "b_dec" in tensors.arrays else d_in
    threshold: np.ndarray | float = 0.0
    if THRESHOLD in tensors.arrays:
        threshold = _threshold(tensors, d_sae)
    encoder = parts.encoder(
        parts.weights(tensors, "W_enc", d_sae, d_in, turned=False),
        parts.vector(tensors, "b_enc", d_sae),
        threshold=threshold,
        front=front,
    )
    decoder = parts.decoder(parts.weights(tensors, "W_dec", d_sae, d_out, turned=False), norms)
    skip = tensors.get(SKIP, (d_out, d_in)) if SKIP in tensors.arrays else None
    folded = {parts.SKIPPED: skip is not None, parts.BEFORE_GAIN: front is RMS_NORM}
    facts = parts.facts(*names, encoder, folded)
    return SAE(
        encoder, decoder, parts.vector(tensors, "b_dec", d_out), False, facts, site, writes, skip
    )


def _threshold(tensors: Tensors, d_sae: int) -> np.ndarray:
    """The thresholds of all features, one for all or one for each."""
    if tensors.arrays[THRESHOLD].size == 1:
        threshold = np.full(d_sae, parts.scalar(tensors, THRESHOLD))
    else:
        threshold = parts.vector(tensors, THRESHOLD, d_sae)
    if (threshold < 0).any():
        raise CheckpointError(
            f"{tensors.path}: {THRESHOLD!r} has negative numbers, which would let negative codes "
            "pass; such transcoders are not read."
        )
    return threshold


def named_alone(path: str) -> Named:
    """The sites of a transcoder without a config, by the layer in the name of its file."""
    layer = _layer(Path(path))
    return Named(Site(layer, "I"), Site(layer, "M"))


FORMAT = Format(
    (FACTS, WEIGHTS),
    open_checkpoint,
    each=EACH,
    releases="transcoders of circuit-tracer, at I, or H as its `config.yaml` says",
    example='{repo: mwhanna/qwen3-4b-transcoders, file: "layer_{layer}.safetensors", writes: m}',
)
ALONE = Format(
    (WEIGHTS,),
    open_alone,
    named=named_alone,
    each=EACH,
    releases="transcoders of circuit-tracer in a repository without `config.yaml`",
    example='{repo: mwhanna/qwen3-14b-transcoders, file: "layer_{layer}.safetensors", writes: m}',
)
