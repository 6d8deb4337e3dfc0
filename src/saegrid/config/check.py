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
from saegrid.config.messages import Mistake, explained, key_of, place, told
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


class Reading(NamedTuple):
    """A config as far as it can be used."""

    study: Study
    """The study, with stand-ins where something is wrong."""
    mistakes: list[Mistake]
    broken: frozenset[str]
    """Keys that hold stand-ins: what is said of these, or follows from them, means nothing."""

    def is_broken(self, key: str) -> bool:
        """Whether a mistake of a key may come from a stand-in."""
        return _is_within(key, self.broken)


def _is_within(key: str, broken: Iterable[str]) -> bool:
    """Whether a key is one of these, or lies in one."""
    return any(not b or f"{key}.".startswith(f"{b}.") for b in broken)


def read(config: Mapping[str, Any]) -> Reading:
    """A config with all of its mistakes, as far as they show without a look at files."""
    study, mistakes, broken = _parsed(config)
    if study is None:
        return Reading(Study.model_validate(_BARE), mistakes, frozenset({""}))
    found = list(names_mistakes(study))
    study, swept = expand(study)
    if swept:
        broken.add("overrides")  # of SAEs that are not there
    for mistake in [*found, *swept, *references_mistakes(study)]:
        if not _is_within(mistake.key, broken):
            mistakes.append(mistake)
    return Reading(study, list(dict.fromkeys(mistakes)), frozenset(broken))


def resolve(config: Mapping[str, Any]) -> Study:
    """The checked study of a config mapping.

    Raises:
        ConfigError: with one line a mistake, each naming its key.
    """
    reading = read(config)
    if reading.mistakes:
        raise ConfigError(told(reading.mistakes))
    return reading.study


# --- values ----------------------------------------------------------------------------------

_BARE = {"study": "study", "model": {"path": "."}, "corpora": {}}


def _parsed(config: Mapping[str, Any]) -> tuple[Study | None, list[Mistake], set[str]]:
    """The study, mended where a value cannot be used, with what was wrong, and where."""
    mistakes: list[Mistake] = []
    broken: set[str] = set()
    mended = copy.deepcopy(dict(config))
    for _ in range(10):
        try:
            return Study(**mended), mistakes, broken
        except ValidationError as problem:
            errors = problem.errors(include_url=False)
        found = [m for m in explained(errors, mended) if not _is_within(m.key, broken)]
        mistakes += found
        broken |= {mistake.key for mistake in found}
        broken |= {key_of(path) for path in _mend(mended, errors)}
        if any(key.endswith(".role") for key in broken):
            broken.add("corpora")  # who is the main one is not known
    return None, mistakes, broken


def _mend(config: dict[str, Any], errors: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Take out what cannot be used, or put in a stand-in; keys above that went with it."""
    lost, out = [], []
    for error in errors:
        path, missing = place(config, error["loc"]), error["type"] == "missing"
        if missing and error["loc"][-1] in STAND_INS:
            _at(config, path)[error["loc"][-1]] = copy.deepcopy(STAND_INS[error["loc"][-1]])
        elif path:
            out.append(path)
            whole = error["type"].startswith("union_tag") or "[key]" in error["loc"]
            if whole or missing or not isinstance(path[-1], str):
                # A catalogue without one of its entries: who names that one is not wrong.
                lost.append(path[:1])
    for path in sorted(set(out), key=lambda path: [str(part).zfill(9) for part in path])[::-1]:
        above = _at(config, path[:-1])
        if isinstance(above, list) or path[-1] in above:
            del above[path[-1]]
    return lost


def _at(config: Any, path: Iterable[Any]) -> Any:
    for part in path:
        config = config[part]
    return config
