"""Checkpoints as they lie on disk: their format, and the keys of their config."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.matrix import Matrix
from saegrid.base.registry import nearest
from saegrid.base.tensors import Tensors
from saegrid.base.words import Site
from saegrid.saes.hooks import site_of
from saegrid.saes.sae import SAE


class Reading(NamedTuple):
    """Settings of the study's config for reading a checkpoint whose own files leave them open."""

    centred: bool | None = None
    """True if the SAE reads activations less their mean over channels; None: as its files say."""
    ignore: tuple[str, ...] = ()
    """Keys of the checkpoint's config that the format does not know and that decide nothing."""
    site: Site | None = None
    """The site that is asked for: of a format whose files do not name theirs, it is believed."""
    writes: Site | None = None
    """The site that a transcoder's output stands for; None: an SAE, which writes where it reads."""
    file: str | None = None
    """Name of the file of weights in the folder; None: the format's usual one."""
    input_scale: float | None = None
    """Number that activations are multiplied with before the SAE reads them, where its files say
    that there is one and not which."""

    @classmethod
    def of(cls, sae: Mapping[str, Any], site: Site) -> "Reading":
        """The settings of an SAE's section in the config, or of its reference, for a site."""
        centred = sae.get("centred", "auto")
        writes = sae.get("writes")
        return cls(
            None if centred == "auto" else centred,
            tuple(sae.get("ignore", ())),
            site,
            Site(site.layer, writes.upper()) if writes else None,
            sae.get("file"),
            sae.get("input_scale"),
        )

    def weights(self, folder: str | Path, usual: str) -> Path:
        """The file of weights in a folder; `usual`: its name where the config gives none."""
        return Path(folder) / (self.file or usual)


READ = Reading()
"""Nothing is said: everything stands in the files."""


class Named(NamedTuple):
    """Sites as names of folders and files have them; None where they say nothing."""

    site: Site | None = None
    """The site that the SAE reads."""
    writes: Site | None = None
    """The site that it writes, of a transcoder."""


def named_by_hook(path: str) -> Named:
    """The site of the last part of a path that is the name of a hook point or of a module."""
    sites = (site_of(part) for part in reversed(path.split("/")))
    return Named(next((site for site in sites if site), None))


class Format(NamedTuple):
    """A format of checkpoints: its files and its reader."""

    files: tuple[str, ...]
    """Files that the folder must hold: the facts first, if the format has any, and last the
    weights, whose name the study's config may give instead."""
    open: Callable[..., SAE]
    """`open(folder, norms=None, reading=READ)`: norms (feature,) as measured before, else they
    are measured."""
    optional: tuple[str, ...] = ()
    """Files that are read too where the folder holds them."""
    named: Callable[[str], Named] = named_by_hook
    """Sites by the path of the weights, the name of the repository or folder first. It is believed
    where the files themselves do not say it."""
    each: str = ""
    """Name of the weights with {layer} in it, of a format that keeps all layers in one folder."""
    releases: str = ""
    """Releases that are read, with what a study says of them, for the documents (Markdown)."""
    example: str = ""
    """Settings of one of them beside `source` and `format`, for the documents (YAML)."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; ValueError where a key stands twice: readers differ in which counts."""
    facts = dict(pairs)
    if len(facts) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in an object; leave one of them")
    return facts


def read_facts(path: Path) -> dict[str, Any]:
    """The JSON object in a checkpoint's config file."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: the file is not there.") from None
    except OSError as error:
        raise CheckpointError(f"{path}: the file cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
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


def check_keys(
    path: Path,
    facts: Mapping[str, Any],
    decides: Collection[str],
    harmless: Collection[str],
    reading: Reading,
    within: str = "",
) -> None:
    """CheckpointError where a config has a key that the format does not know.

    Such a key may change every number, so that it is only passed over where the study's config says
    that it decides nothing.

    Args:
        path: the file, for messages.
        facts: the config, or an object in it.
        decides: keys that the format reads.
        harmless: keys that are known to change no number.
        reading: settings of the study.
        within: name of the object and a dot, where the keys stand in one.
    """
    for name in (f"{within}{key}" for key in decides):
        if name in reading.ignore:
            raise CheckpointError(
                f"{path}: ignore names {name!r}, which decides how this SAE is read; take it out "
                "of ignore."
            )
    for key, value in facts.items():
        name = f"{within}{key}"
        if key not in decides and key not in harmless and name not in reading.ignore:
            raise CheckpointError(
                f"{path}: {name} is not known here and could change every number; got {value!r}."
                f"{nearest(key, sorted({*decides, *harmless}))} If it decides nothing, write "
                f"`ignore: [{name}]` at this SAE in the config."
            )


def finite(tensors: Tensors, name: str, values: np.ndarray) -> np.ndarray:
    """Return the numbers of a tensor; CheckpointError where one is NaN or infinite, which what is
    folded could hide."""
    if not np.isfinite(values).all():
        raise CheckpointError(
            f"{tensors.path}: the tensor {name!r} holds NaN or infinity. Fetch it again."
        )
    return values


def matrix(tensors: Tensors, name: str, shape: tuple[int, int]) -> Matrix:
    """The matrix of that name and shape; CheckpointError where it is missing, differs or is
    empty."""
    if not all(shape):
        raise CheckpointError(
            f"{tensors.path}: the tensor {name!r} must have shape {shape}, by which this SAE has "
            "no features or no channels; it needs one of each at least. Fetch it again."
        )
    return tensors.matrix(name, shape)


def check_tensors(tensors: Tensors, known: Collection[str]) -> None:
    """CheckpointError where a file holds a tensor that the format does not know."""
    for name in tensors.arrays:
        if name not in known:
            raise CheckpointError(
                f"{tensors.path}: the tensor {name!r} is not known and could change every number; "
                f"an SAE of this kind has {', '.join(sorted(known))}."
            )
