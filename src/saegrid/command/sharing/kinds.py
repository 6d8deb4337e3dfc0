"""The tables of a study and their columns in words.

What a table is comes from the stage that made it. A column is said by `own`, which knows it in
this table, then by `columns`, which has names that mean the same in every table, else by the notes
beside the table's schema in the library; of one that none of them says nothing is said.
"""

import json
import re
from functools import cache
from importlib import import_module
from typing import NamedTuple

import pyarrow as pa

from saegrid.command.sharing.columns import COLUMNS, Words
from saegrid.command.sharing.noted import notes
from saegrid.command.sharing.own import BY_PART, OF_PARTS, OWN
from saegrid.command.sharing.own_survey import of_health
from saegrid.features.statistics import registered
from saegrid.stages import STAGES, load
from saegrid.stages.stage import Column

PARTS = {"confirm": "part that confirms, `confirmation`"}
"""Parts of the texts whose columns end otherwise than in their name, in words."""
SPAN = re.compile(r"{\w+}")


class Table(NamedTuple):
    """A table of a study."""

    path: str
    """Below the folder of the study."""
    rows: int
    bytes: int
    schema: pa.Schema
    spec: str
    """Spec of the job that made it; empty where none is recorded."""


class Kind(NamedTuple):
    """Tables of one output of a stage, whatever their cell or corpus."""

    pattern: str
    """Path below the folder of the study, wildcards in it."""
    stage: str
    words: str
    """The opening of the stage's docstring."""


@cache
def kinds() -> list[tuple[re.Pattern[str], Kind]]:
    """The tables that stages make, each with a pattern of its paths."""
    known = []
    for stage in load().values():
        place = STAGES[stage.name].partition(":")[0]
        words = str(import_module(place).__doc__).partition("\n\n")[0].replace("\n", " ")
        for name in stage.writes:
            path = stage.write(name).path.removeprefix("results/{study}/")
            if path.endswith(".parquet"):
                parts = map(re.escape, SPAN.split(path))
                known.append((re.compile("[^/]+".join(parts)), Kind(path, stage.name, words)))
    # A plain name is nearer than one with a wildcard: probes/texts.parquet.
    return sorted(known, key=lambda one: (one[1].pattern.count("{"), one[1].pattern))


def kind_of(path: str, spec: str = "") -> Kind:
    """The kind of a table; one that no stage makes is of a kind of its own.

    spec: of the job that made it, which names its stage where several make such a file.
    """
    able = [kind for pattern, kind in kinds() if pattern.fullmatch(path)]
    maker = json.loads(spec).get("stage") if spec else None
    for kind in able:
        if kind.stage == maker:
            return kind
    if able:
        return able[0]
    return Kind(path, "", "A file that no stage of this version makes.")


def short(pattern: str) -> str:
    """The name of a kind of table: its path below the corpus and the cell, without the ending."""
    name = pattern.removesuffix(".parquet")
    bare = name.removeprefix("{corpus}/").removeprefix("cells/{cell}/")
    # Of a name that the study itself has a table of, such as tests, the whole path.
    return bare if bare == name or not _of_study(bare) else name


@cache
def _of_study(name: str) -> bool:
    return any(kind.pattern == f"{name}.parquet" for _, kind in kinds())


def notes_of(kind: Kind) -> str:
    """The notes on a table; empty without any."""
    name = short(kind.pattern)
    return notes().get(name, "")


@cache
def shown() -> dict[str, Words]:
    """Columns that stages show in the summary, and statistics of features, by name."""
    columns = {
        one.name: Words("number", one.words)
        for stage in load().values()
        for one in stage.shows
        if isinstance(one, Column)
    }
    return columns | {one.name: Words(one.form, one.words) for one in registered()}


def said_of(name: str, kind: Kind) -> Words | None:
    """A column of a table in words; None where it is not known. `held_*` is the same of held-out
    tokens."""
    bare, table = name.removeprefix("held_"), short(kind.pattern)
    known = OWN.get(table, {}).get(bare) or COLUMNS.get(bare)
    if known is None and table in ("summary", "summary_by_corpus", "features"):
        known = shown().get(bare)
    if known is None and table.startswith(("discoveries", "probes")):
        known = by_part(name, table)
    if known is None and table == "health":
        known = of_health(name)
    if known is None and re.search(rf"\b{re.escape(name)}\b", notes_of(kind)):
        return Words("", "see the notes")
    if known and bare != name:
        return Words(known.unit, f"{known.words}; of held-out tokens")
    return known


def by_part(name: str, table: str) -> Words | None:
    """A column that another one is said of for a further part of the texts; None where it is not
    such a one."""
    for base in BY_PART:
        known = OWN.get(table, {}).get(base)
        if known and name.startswith(f"{base}_"):
            part = PARTS.get(end := name.removeprefix(f"{base}_"), f"part {end}")
            said = OF_PARTS.get(table, {}).get(base)
            return Words(known.unit, f"{said.words if said else base}; on the {part}")
    return None
