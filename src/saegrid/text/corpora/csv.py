"""The reader of CSV files (UTF-8 with or without a byte order mark, comma, quotes doubled)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saegrid.text.corpora.rows import (
    RAW,
    CorpusError,
    Needed,
    Record,
    Row,
    check_columns,
    is_text,
    over_files,
)

LONGEST_FIELD = 2**31 - 1


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the source's CSV files, with every cell as text."""
    return over_files(source, read)


def read(file: Path, wanted: Needed) -> Iterator[Record]:
    """The rows of one file; values keep quotes, commas and line ends that stood in quotes.

    A row that cannot be parsed comes with its problem: bytes that are not UTF-8, more or fewer
    cells than the header, a stray quote. After a stray quote, reading goes on with the next line.
    """
    # Whole books may stand in one field; the module's own limit is 131,072 characters.
    csv.field_size_limit(LONGEST_FIELD)
    # newline="" keeps line ends within quotes as they are.
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
        lines = opened.readlines()
    records = _records(lines)
    first, header = next(records, (0, None))
    if header is None:
        raise CorpusError(f"{file}, line {first + 1}: expected a header row of column names.")
    check_columns(file, header, wanted)
    for start, cells in records:
        if cells is None:
            yield Record(start + 1, {RAW: lines[start]}, "stray quote")
        else:
            values = dict(zip(header, cells, strict=False))
            yield Record(start + 1, *_checked(header, cells, values))


def _records(lines: list[str]) -> Iterator[tuple[int, list[str] | None]]:
    """The index of each row's first line, with the row's cells; None if a quote is stray."""
    start = offset = 0
    reader = csv.reader(lines, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            # The row may have swallowed good ones: only its first line is given up.
            yield start, None
            start = offset = start + 1
            reader = csv.reader((lines[i] for i in range(offset, len(lines))), strict=True)
        else:
            if cells:
                yield start, cells
            start = offset + reader.line_num


def _checked(
    header: list[str], cells: list[str], values: dict[str, str | None]
) -> tuple[dict[str, str | None], str | None]:
    if not is_text(*cells):
        return values, "not UTF-8"
    if len(cells) < len(header):
        return values, "too few cells"
    if len(cells) > len(header):
        return {**values, RAW: ",".join(cells[len(header) :])}, "too many cells"
    return values, None
