"""A look at the files of a source before anything runs: are they files, and have they the columns?

Heads are read and no more, whatever the size of a file.
"""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from saegrid.base.errors import shown
from saegrid.base.registry import nearest
from saegrid.text.corpora.rows import CorpusError, check_columns, is_text, needed

HEAD = 1 << 20
"""Bytes of a file that are looked at."""
LINES = 200
"""Lines of a JSON Lines file that are looked at."""
SIBLINGS = 500
"""Names in a folder among which the nearest one is looked for."""
OTHERS = {
    b"\x1f\x8b": "compressed (gzip)",
    b"PK\x03\x04": "a zip archive",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"BZh": "compressed (bzip2)",
    b"\xfd7zXZ": "compressed (xz)",
    b"\x28\xb5\x2f\xfd": "compressed (zstd)",
}
"""First bytes of files that are no plain text, and what they are."""
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
    if kind not in COLUMNS:
        _plain(file)
        return
    columns = COLUMNS[kind](file)
    try:
        check_columns(file, columns, needed(source))
    except CorpusError as problem:
        raise CorpusError(f"{problem}{_other_spelling(columns)}") from None


def _other_spelling(columns: list[str]) -> str:
    """The likely cause of columns that are not there."""
    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and mark in columns[0]:
            return f" The columns are separated by {word}; commas are expected: convert the file."
    return "" if is_text(*columns) else " Their names are not UTF-8: convert the file."


def _plain(file: Path) -> str:
    """The head of a text file."""
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    for first, what in OTHERS.items():
        if head.startswith(first):
            raise CorpusError(f"{file} is {what}; expected plain text in UTF-8. Convert it.")
    if head.count(0) > len(head) // 10:
        raise CorpusError(f"{file} holds zero bytes: it is no text. Check the name of the file.")
    return head.decode("utf-8-sig", errors="surrogateescape")


def _csv_columns(file: Path) -> list[str]:
    text = _plain(file)
    try:
        return next(csv.reader(iter(text.splitlines(keepends=True)), strict=True), [])
    except csv.Error as problem:
        raise CorpusError(
            f"{file}, line 1: expected a header row of column names; {problem}."
        ) from None


def _jsonl_columns(file: Path) -> list[str]:
    lines = _plain(file).splitlines()
    if lines and lines[0].lstrip().startswith("["):
        raise CorpusError(f"{file} holds a JSON array; expected one object a line. Convert it.")
    columns: dict[str, None] = {}
    # The last line may have been cut by the look.
    for line in filter(str.strip, lines[: max(1, len(lines) - 1)][:LINES]):
        try:
            parsed = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(parsed, dict):
            columns |= dict.fromkeys(parsed)
    if not columns:
        raise CorpusError(
            f"{file}: none of the first lines is a JSON object; expected one a line, such as "
            '{"id": "1", "text": "..."}.'
        )
    return list(columns)


def _parquet_columns(file: Path) -> list[str]:
    try:
        return pq.read_schema(file).names
    except (pa.ArrowException, OSError) as problem:
        raise CorpusError(
            f"{file} cannot be read as parquet: {problem}. Fetch or write the file again."
        ) from problem


COLUMNS: dict[str, Callable[[Path], list[str]]] = {
    "csv": _csv_columns,
    "jsonl": _jsonl_columns,
    "parquet": _parquet_columns,
}
"""Names of the columns of a file, by its kind."""


def own_columns_problems(source: Mapping[str, Any]) -> Iterator[str]:
    """Columns that a source of plain or generated text is asked for and cannot have."""
    for name, key in needed(source).items():
        if name not in OWN_COLUMNS:
            yield (
                f"{key} asks for the column {name!r}, but a source of kind {source['kind']} has "
                f"{' and '.join(OWN_COLUMNS)} alone. Leave it out, or take kind csv, jsonl or "
                "parquet."
            )
