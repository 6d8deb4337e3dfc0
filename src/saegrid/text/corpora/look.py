"""A look at the files of a source before anything runs: are they files, and have they the columns?

Heads are read and no more, whatever the size of a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from saegrid.base.errors import shown
from saegrid.base.registry import nearest
from saegrid.text.corpora import csv, hub, jsonl, parquet
from saegrid.text.corpora.form import bytes_form
from saegrid.text.corpora.rows import CorpusError, check_columns, needed

SIBLINGS = 500
"""Names in a folder among which the nearest one is looked for."""
OWN_COLUMNS = ("id", "text")
"""Columns of sources that have no columns of their own: plain text, generated text."""


def check_file(path: str | os.PathLike[str], empty: bool = False) -> Path:
    """A regular file that can be read; nothing of it is read.

    empty: it may be empty.

    Raises:
        CorpusError: it is not there, or a folder, a device or a pipe, empty or not to be read.
    """
    path = Path(path)
    if {"{", "}"} & set(str(path)):
        raise CorpusError(
            f"{path}: a path may not hold {{ and }}, which stand for wildcards in a workflow. "
            "Fill them in, or rename the file."
        )
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise CorpusError(f"the file {path} is not there.{_near(path)} {_RELATIVE}") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise CorpusError(f"{shown(str(path))} cannot be read: {reason}.") from None
    if stat.S_ISDIR(facts.st_mode):
        raise CorpusError(f"{path} is a folder; expected a file.")
    if not stat.S_ISREG(facts.st_mode):
        raise CorpusError(f"{path} is a device or a pipe, which is never read; expected a file.")
    if not facts.st_size and not empty:
        raise CorpusError(f"{path} is empty; expected at least one row.")
    if not os.access(path, os.R_OK):
        raise CorpusError(f"{path} may not be read by you. Change its permissions.")
    return path


_RELATIVE = "Paths are relative to the folder in which snakemake runs."


def _near(path: Path) -> str:
    """The nearest name in the file's folder."""
    try:
        names = sorted(other.name for other in islice(path.parent.iterdir(), SIBLINGS))
    except OSError:
        return f" There is no folder {path.parent}." if str(path.parent) != "." else ""
    return nearest(path.name, names)


def check_head(source: Mapping[str, Any], kind: str, file: Path) -> None:
    """CorpusError where the head of a file shows that it cannot be read as its kind, or lacks a
    column that the source asks for."""
    if kind in COLUMNS:
        check_columns(file, columns(file, kind, source), needed(source))
    else:
        bytes_form(file, source)


def columns(file: Path, kind: str, source: Mapping[str, Any]) -> list[str]:
    """The names of the columns of a file, from its head."""
    return COLUMNS[kind](file, source)


def id_column(source: Mapping[str, Any], listed: Iterable[str]) -> str | None:
    """The column of the ids, for columns.id: auto: `id` where the files have it, else None.

    Raises:
        CorpusError: some files have it, and others have not.
    """
    having: dict[bool, str] = {}
    for path in listed:
        kind = hub.kind_of(path) if source["kind"] == "hub" else source["kind"]
        has = kind not in COLUMNS or ID in columns(check_file(path), kind, source)
        having.setdefault(has, path)
    if len(having) > 1:
        raise CorpusError(
            f"{having[True]} has a column {ID!r} and {having[False]} has none: set columns.id to "
            "null to number the rows of all files, or name a column that each of them has."
        )
    return ID if True in having else None


COLUMNS: dict[str, Callable[[Path, Mapping[str, Any]], list[str]]] = {
    "csv": csv.columns,
    "jsonl": jsonl.columns,
    "parquet": parquet.columns,
}
"""Readers of the names of the columns of a file, by its kind."""
ID = "id"
"""The column that is taken for ids where no other is named."""


def own_columns_problems(source: Mapping[str, Any]) -> Iterator[str]:
    """Columns that a source of plain or generated text is asked for and cannot have."""
    for name, key in needed(source).items():
        if name not in OWN_COLUMNS:
            yield (
                f"{key} asks for the column {name!r}, but a source of kind {source['kind']} has "
                f"{' and '.join(OWN_COLUMNS)} alone. Leave it out, or take kind csv, jsonl or "
                "parquet."
            )
