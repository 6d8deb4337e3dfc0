"""Checkpoints as they lie on disk: their format, and the keys of their config."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.errors import CheckpointError
from saegrid.base.registry import nearest
from saegrid.saes.sae import SAE


class Format(NamedTuple):
    """How checkpoints of one kind are read."""

    files: tuple[str, ...]
    """What must lie in the folder: the facts first, then the tensors."""
    open: Callable[..., SAE]
    """`open(folder, norms=None)`: norms (feature,) as measured before, else they are measured."""


def read_facts(path: Path) -> dict[str, Any]:
    """The JSON object in a checkpoint's config file."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: the file is not there.") from None
    except ValueError as error:
        raise CheckpointError(f"{path}: this is no JSON: {error}.") from None
    if not isinstance(facts, dict):
        raise CheckpointError(f"{path}: a JSON object was expected, got {type(facts).__name__}.")
    return facts


def require(path: Path, facts: Mapping[str, Any], key: str, *kinds: type) -> Any:
    """The value of a key of one of some types; CheckpointError names file and key."""
    if key not in facts:
        raise CheckpointError(f"{path}: the key {key!r} is missing.{nearest(key, list(facts))}")
    value = facts[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise CheckpointError(f"{path}: {key} must be {names}; got {value!r}.")
    return value


def supported(path: Path, key: str, value: Any, *known: Any) -> None:
    """CheckpointError where a value of a key is none of those that are understood."""
    if value not in known:
        raise CheckpointError(
            f"{path}: {key} is {value!r}; supported: {', '.join(repr(k) for k in known)}."
        )
