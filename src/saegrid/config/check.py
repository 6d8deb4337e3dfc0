"""Strict reading of a config, with messages that name the key and the nearest spelling.

All mistakes are told at once: a value that cannot be used is taken out, and the rest is looked at
further. What needs a look at files is told by `saegrid.stages.mistakes`.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from saegrid.base.errors import ConfigError
from saegrid.config.cells import STAGES, blocks, cell_section, cell_settings, cells
from saegrid.config.messages import Mistake, by_place, explained, key_of, sentences
from saegrid.config.models import Study
from saegrid.config.references import names_mistakes, references_mistakes
from saegrid.config.sweeps import expand

__all__ = [
    "STAGES",
    "ConfigError",
    "Mistake",
    "Reading",
    "blocks",
    "cell_section",
    "cell_settings",
    "cells",
    "read",
    "resolve",
]
STAND_INS = {
    **{"study": "study", "model": {"path": "."}, "path": ".", "corpora": {}, "role": "reference"},
    **{"source": {"kind": "csv"}, "kind": "csv", "column": "", "comparator": "ge", "value": 0.0},
    **{"digits": "", "mean": "", "expansion": 1, "corpus": "", "format": "", "layers": []},
    **{"positions": [], "saes": [], "base": {"source": "train", "expansion": 1, "corpus": ""}},
}
"""Values that stand for keys without default, so that what is beside them can be checked."""


class _Every(set[str]):
    """All names: those of a catalogue that is none."""

    def __contains__(self, name: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


class Reading(NamedTuple):
    """A config as far as it can be used."""

    study: Study
    """The study, with stand-ins where something is wrong."""
    mistakes: list[Mistake]
    broken: frozenset[str]
    """Keys that hold stand-ins: what is said of these, or follows from them, means nothing."""

    def is_broken(self, key: str) -> bool:
        """Return True if a mistake at this key may come from a stand-in for an unusable value."""
        return _is_within(key, self.broken)


def _is_within(key: str, broken: Iterable[str]) -> bool:
    """Return True if a key is one of `broken` or lies below one of them."""
    return any(not b or f"{key}.".startswith(f"{b}.") for b in broken)


def read(config: Mapping[str, Any]) -> Reading:
    """A config with all of its mistakes, as far as they show without a look at files."""
    study, mistakes, broken, lost = _parsed(config)
    if study is None:
        return Reading(Study.model_validate(_BARE), mistakes, frozenset({""}))
    unfiltered = list(names_mistakes(study))
    study, swept = expand(study)
    lost |= {mistake.key.removeprefix("sweeps.") for mistake in swept}
    whole = broken & {"corpora", "saes", "sweeps"}
    references = list(references_mistakes(study, _Every() if whole else lost))
    unfiltered += [*swept, *references]
    mistakes += [mistake for mistake in unfiltered if not _is_within(mistake.key, broken)]
    broken |= {mistake.key for mistake in references} - {"corpora"}
    if whole or lost or any(key.split(".")[0] in ("grid", "grids") for key in broken):
        broken |= {"grid", "grids"}  # some of its cells are not there
    return Reading(study, list(dict.fromkeys(mistakes)), frozenset(broken))


def resolve(config: Mapping[str, Any]) -> Study:
    """The checked study of a config mapping.

    Raises:
        ConfigError: with one line a mistake, each naming its key.
    """
    reading = read(config)
    if reading.mistakes:
        raise ConfigError(sentences(reading.mistakes))
    return reading.study


# --- values ----------------------------------------------------------------------------------

_BARE = {"study": "study", "model": {"path": "."}, "corpora": {}}


def _parsed(
    config: Mapping[str, Any],
) -> tuple[Study | None, list[Mistake], set[str], set[str]]:
    """The study, mended where a value cannot be used; what was wrong, where, and names of corpora
    and SAEs that went with it."""
    mistakes: list[Mistake] = []
    broken: set[str] = set()
    lost: set[str] = set()
    mended = {key: value for key, value in copy.deepcopy(dict(config)).items() if type(key) is str}
    for key in config.keys() - mended.keys():
        mistakes.append(Mistake("config", f"{key}: a key is a text.", str(key)))
    for _ in range(10):
        try:
            return Study.model_validate(mended), mistakes, broken, lost
        except ValidationError as problem:
            errors = problem.errors(include_url=False)
        new = [m for m in explained(errors, mended) if not _is_within(m.key, broken)]
        mistakes += new
        broken |= {mistake.key for mistake in new}
        _mend(mended, errors, broken, lost)
    return None, mistakes, broken, lost


def _mend(
    config: dict[str, Any],
    errors: Iterable[Mapping[str, Any]],
    broken: set[str],
    lost: set[str],
) -> None:
    """Take out what cannot be used, or put in a stand-in. Its keys are added to `broken`, names of
    entries that are not what they were to `lost`."""
    out = []
    for path, several in by_place(errors, config).items():
        missing = several[0]["type"] == "missing"
        if missing and path[-1] in STAND_INS:
            _at(config, path[:-1])[path[-1]] = copy.deepcopy(STAND_INS[path[-1]])
        else:
            if missing or (
                isinstance(path[-1], int) and not isinstance(_at(config, path), Mapping)
            ):
                path = path[:-1]  # one of several values: a list of the others is another list
            out.append(path)
            broken.add(key_of(path))
        # What says which kind of corpus or SAE it is; or the whole entry.
        kind = len(path) == 2 or path[-1] in ("role", "source", "store")
        if path[0] == "sweeps" or (path[0] in ("corpora", "saes") and kind):
            lost |= set(map(str, path[1:2]))
    for path in sorted(set(out), key=lambda path: [str(part).zfill(9) for part in path])[::-1]:
        above = _at(config, path[:-1])
        if isinstance(above, list) or path[-1] in above:
            del above[path[-1]]


def _at(config: Any, path: Iterable[Any]) -> Any:
    for part in path:
        config = config[part]
    return config
