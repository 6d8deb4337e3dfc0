"""The files of a checkpoint's folder that make up the model, for every reader of it.

Transformers' choice: model.safetensors where it is there, else what the index names. What lies
beside (other weights, copies in another layout) is neither read nor counted.
"""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from saegrid.base.errors import CheckpointError
from saegrid.base.registry import pick
from saegrid.base.tensors import header
from saegrid.models import FAMILIES
from saegrid.models.structure import outline

CONFIG, WHOLE, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
NUMBERS = ("F64", "F32", "F16", "BF16")
"""Types of weights that are read."""
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
"""Weights in pickles: never read."""
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
"""Keys of config.json that give the number of experts, in the spellings of several families."""


def model_files(folder: str | Path) -> list[Path]:
    """The files that hold a model's weights, by name.

    Raises:
        CheckpointError: the folder has none, lacks one that its index names, or the index names one
            outside of the folder.
    """
    folder = Path(folder)
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    if not (folder / INDEX).is_file():
        raise CheckpointError(_no_weights(folder))
    names = index_names(folder / INDEX)
    for name in names:
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder}: {INDEX} names {name}, which is not there. Get it too: the checkpoint "
                f"has {len(names)} files of weights."
            )
    return [folder / name for name in names]


def files_read(folder: str | Path, weights: bool = True) -> list[str]:
    """Names in the folder of all that decides a model's numbers: its config, and its weights."""
    if not weights:
        return [CONFIG]
    folder = Path(folder)
    names = [path.relative_to(folder).as_posix() for path in model_files(folder)]
    return [CONFIG, *names] if names == [WHOLE] else [CONFIG, INDEX, *names]


def index_names(path: Path) -> list[str]:
    """The files that an index names, sorted; CheckpointError where one is not within its folder.

    The name decides and not what it links to: the hub's own cache keeps links to files elsewhere.
    """
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise CheckpointError(f"{path}: this is no JSON ({problem}). Fetch it again.") from None
    named = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(named, dict) or not named:
        raise CheckpointError(
            f"{path}: weight_map must map the names of tensors to files; got "
            f"{type(named).__name__}. Fetch it again."
        )
    for tensor, name in named.items():
        if not isinstance(name, str) or not _is_within(name):
            raise CheckpointError(
                f"{path}: weight_map.{tensor} names {name!r}; expected a *.safetensors within the "
                "folder, as files outside are never read. Fetch the index again."
            )
    return sorted(set(named.values()))


def _is_within(name: str) -> bool:
    """Return True if a name is that of a safetensors file and does not lead out of its folder."""
    path = PurePosixPath(name)
    stays = not path.is_absolute() and ".." not in path.parts and "\\" not in name
    return stays and "\0" not in name and path.suffix == ".safetensors"


def _no_weights(folder: Path) -> str:
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled:
        return (
            f"{folder}: the weights are in {pickled[0]}, a pickle, which is never read. Take a "
            f"revision with {WHOLE}, or save the model anew with "
            "save_pretrained(..., safe_serialization=True)."
        )
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    more = f"; {others[0]} is another layout" if others else ""
    return f"{folder} must hold {WHOLE} or {INDEX}; it holds neither{more}."


def check_stored(folder: str | Path) -> None:
    """CheckpointError where a weight is stored as no plain number, as quantised ones are.

    Raises as `model_files` too.
    """
    for path in model_files(folder):
        for name, entry in header(path).entries.items():
            if name.endswith("weight") and entry.dtype not in NUMBERS:
                raise CheckpointError(
                    f"{path}: the tensor {name!r} is stored as {entry.dtype}, as quantised weights "
                    "are, which is not read. Take the checkpoint in float32, float16 or bfloat16."
                )


def check_config(folder: str | Path, config: Mapping[str, Any]) -> None:
    """Refuse kinds of checkpoints that are not read, whatever their architecture is called.

    config: the facts of config.json. Raises CheckpointError: names the key and the mend.
    """
    path = Path(folder) / CONFIG
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, dict) else None
        raise CheckpointError(
            f"{path}: the weights are quantised (quantization_config, {method or 'no method'}), "
            "which is not read. Take the checkpoint in float32, float16 or bfloat16."
        )
    kind = config.get("model_type")
    if kind is not None and not isinstance(kind, str):
        raise CheckpointError(f"{path}: model_type must be a text; got {kind!r}.")
    if config.get("auto_map") and kind not in FAMILIES and outline(config) is None:
        raise CheckpointError(
            f"{path}: a model of the type {kind!r} brings code of its own (auto_map), which is "
            f"never run. Take one of the types {', '.join(sorted(FAMILIES))}."
        )
    known = kind in FAMILIES and pick(FAMILIES, kind, "model family").experts
    for key in () if known else EXPERTS:
        value = config.get(key)
        if isinstance(value, int) and value > 1:
            mixtures = [name for name in FAMILIES if pick(FAMILIES, name, "").experts]
            raise CheckpointError(
                f"{path}: this is a mixture of {value} experts ({key}) of the type {kind!r}, which "
                f"is not read. Take a dense model, or one of the types {', '.join(mixtures)}."
            )
    for part in (config, config.get("text_config")):
        if isinstance(part, dict) and part.get("use_bidirectional_attention"):
            raise CheckpointError(
                f"{path}: tokens attend to those behind them too (use_bidirectional_attention), "
                "which is not read. Take a model that predicts the next token."
            )
    if "transformers_weights" in config:
        raise CheckpointError(
            f"{path}: transformers_weights names another file of weights, which is not read. "
            f"Leave the key out and call the file {WHOLE}."
        )
