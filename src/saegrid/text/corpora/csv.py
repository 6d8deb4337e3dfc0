"""The reader of tables in CSV: a header row, one delimiter, quotes doubled."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from saegrid.text.corpora.form import HEAD, Form, bytes_form, head_text, open_text
from saegrid.text.corpora.rows import (
    RAW,
    CorpusError,
    Needed,
    Read,
    Record,
    Row,
    check_columns,
    is_text,
    needed,
    over_files,
)

LONGEST_FIELD = 2**31 - 1
DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
"""Delimiters that are looked for, and their names."""
COMMA = re.compile(r"[+-]?\d*,\d+")
"""A number with a decimal comma."""
MARK = "\ufeff"
"""A byte order mark, which stands within files that were joined."""
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
"""A number whose commas may as well stand between thousands."""


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the source's CSV files, with every cell as text."""
    return over_files(source, read)


def read(file: Path, source: Mapping[str, Any]) -> Read:
    """The rows of one file; values keep quotes, delimiters and line ends that stood in quotes.

    A row that cannot be parsed comes with its problem: bytes that are not of the encoding, more or
    fewer cells than the header, a stray quote. After a stray quote, reading goes on with the next
    line.
    """
    written = form(file, source)
    guessed = source.get("quotes") is None and written.delimiter == "\t"
    return Read(written, _rows(file, written, needed(source), numbers(source), guessed))


def _rows(
    file: Path, form: Form, wanted: Needed, numeric: Sequence[str], guessed: bool
) -> Iterator[Record]:
    """The rows; `guessed`: the head alone decided that cells may stand in quotes."""
    # Whole books may stand in one field; the module's own limit is 131,072 characters.
    csv.field_size_limit(LONGEST_FIELD)
    # newline="" keeps line ends within quotes as they are.
    with open_text(file, form, newline="") as opened:
        lines = opened.readlines()
    rows = records(lines, form.delimiter, form.quotes)
    _, first = next(rows, (0, []))
    header = names(file, first)
    check_columns(file, header, wanted)
    for start, stop, cells in _spans(rows, len(lines)):
        if guessed and cells and _swallows(lines[start:stop], header, form):
            raise CorpusError(_either(f"{file}, lines {start + 1} to {stop}", "them"))
        if cells is None:
            yield Record(start + 1, {RAW: lines[start]}, "stray quote")
        elif is_header(cells, first):
            yield Record(start + 1, {RAW: lines[start].lstrip(MARK)}, "a second header row")
        else:
            values = dict(zip(header, cells, strict=False))
            if form.decimal == ",":
                values |= {name: point(values[name]) for name in numeric if name in values}
            yield Record(start + 1, *_checked(header, cells, values, form))


def numbers(source: Mapping[str, Any]) -> list[str]:
    """The labels of a source that are read as numbers."""
    return [name for name, how in (source.get("labels") or {}).items() if how == "number"]


def point(number: str) -> str:
    """A number with a decimal comma, written with a point; another text as it is."""
    return number.replace(",", ".") if COMMA.fullmatch(number.strip()) else number


def names(file: Path, header: Sequence[str] | None) -> list[str]:
    """The names of the columns, without the blanks around them.

    Raises:
        CorpusError: there is no header row, or it is not of the file's encoding.
    """
    if header is None:
        raise CorpusError(
            f"{file}, line 1: a quote in the header row is not closed, or does not stand around a "
            "whole name. Mend the row of column names."
        )
    if not header:
        raise CorpusError(f"{file}, line 1: expected a header row of column names.")
    if not is_text(*header):
        raise CorpusError(
            f"{file}, line 1: the names of the columns are not in the encoding of the file. Set "
            "source.encoding, such as cp1252 or latin-1."
        )
    return [name.lstrip(MARK).strip() for name in header]


def columns(file: Path, source: Mapping[str, Any]) -> list[str]:
    """The names of the columns of a file, from its head."""
    written = form(file, source)
    return names(file, _header(head_text(file, written), written.delimiter, written.quotes))


def form(file: Path, source: Mapping[str, Any]) -> Form:
    """The form of a file, with its delimiter and decimal mark."""
    plain = bytes_form(file, source)
    head = head_text(file, plain)
    delimiter = source.get("delimiter") or _delimiter(file, head, needed(source))
    quotes = source.get("quotes")
    if quotes is None:
        quotes = _quoted(file, head, delimiter)
    plain = plain._replace(delimiter=delimiter, quotes=quotes)
    return plain._replace(
        decimal=source.get("decimal") or _decimal(file, head, plain, numbers(source))
    )


def _header(head: str, delimiter: str, quotes: bool = True) -> list[str] | None:
    """The cells of the first row, none where there is no row; None where a quote is stray."""
    csv.field_size_limit(LONGEST_FIELD)
    return next((cells for _, cells in records(_lines(head), delimiter, quotes)), [])


def _lines(text: str) -> list[str]:
    """The lines of a text, as a file has them."""
    return io.StringIO(text, newline="").readlines()


def _delimiter(file: Path, head: str, wanted: Needed) -> str:
    """The delimiter with which the header names the columns that the source asks for.

    A comma where it does; else the only other one; where none does, the one that gives most
    columns, a comma before others, so that the message can name them. CorpusError where several do.
    """
    headers = {mark: [n.strip() for n in _header(head, mark) or [""]] for mark in DELIMITERS}
    fits = [mark for mark, header in headers.items() if {*wanted} <= {*header}]
    if "," in fits or not fits:
        return "," if fits else max(headers, key=lambda mark: len(headers[mark]))
    if len(fits) > 1:
        raise CorpusError(
            f"{file}: its columns may be separated by {' or by '.join(DELIMITERS[m] for m in fits)}"
            ". Set source.delimiter to the one that is meant."
        )
    return fits[0]


def _quoted(file: Path, head: str, delimiter: str) -> bool:
    """Return True if cells may stand in quotes, as they may but in tables with tabs, whose writers
    often take quotes for letters.

    There they are letters if some could stand around no cell, and each line has as many cells as
    the header. CorpusError where both readings fit: where lines in quotes look like rows.
    """
    if delimiter != "\t" or '"' not in head:
        return True
    lines = [line for line in _whole_lines(head) if line.strip()]
    counts = [line.count(delimiter) for line in lines]
    width = Counter(counts).most_common(1)[0][0] if counts else 0  # a row's, if rows are lines
    if not width:
        return True
    rows = list(records(lines, delimiter, True))
    if any(cells is None for _, cells in rows) and {*counts} == {width}:
        return False
    stops = [start for start, _ in rows[1:]] + [len(lines)]
    for (start, cells), stop in zip(rows, stops, strict=True):
        if cells is not None and stop - start > 1 and {*counts[start:stop]} == {width}:
            raise CorpusError(_either(str(file), "it"))
    return True


def _either(where: str, held: str) -> str:
    """The sentence that both readings of quotes fit."""
    return (
        f"{where}: quotes in {held} may stand around cells of several lines, or be letters of "
        "cells of one. Set source.quotes to true for the first, to false for the second."
    )


def _spans(
    rows: Iterable[tuple[int, list[str] | None]], n: int
) -> Iterator[tuple[int, int, list[str] | None]]:
    """Rows with the index behind their last line, of n; empty lines count to the row before."""
    held: tuple[int, list[str] | None] | None = None
    for start, cells in rows:
        if held is not None:
            yield held[0], start, held[1]
        held = start, cells
    if held is not None:
        yield held[0], n, held[1]


def _swallows(lines: Sequence[str], header: Sequence[str], form: Form) -> bool:
    """Return True if a row of several lines may be as many rows, the quotes of which are letters:
    each has as many cells as the header."""
    if len(lines) == 1 or form.delimiter is None or not form.quotes:
        return False
    counts = [line.count(form.delimiter) for line in lines if line.strip()]
    return len(counts) > 1 and {*counts} == {max(len(header) - 1, 1)}


def _decimal(file: Path, head: str, form: Form, numeric: Sequence[str]) -> str:
    """The decimal mark of the numbers in the head: a comma where none has a point."""
    if not numeric:
        return "."
    cells = [cell for cell in _cells(head, form, numeric) if "," in cell or "." in cell]
    with_comma = [cell for cell in cells if COMMA.fullmatch(cell)]
    if not with_comma or any("," not in cell for cell in cells):
        return "."
    if all(THOUSANDS.fullmatch(cell) for cell in with_comma):
        raise CorpusError(
            f"{file}: the comma in numbers such as {with_comma[0]} may be a decimal mark or stand "
            "between thousands. Set source.decimal: ',' for the first; for the second, write them "
            "without."
        )
    return ","


def _whole_lines(head: str) -> list[str]:
    """The lines of a head; the last one may be cut, and is left out then."""
    lines = _lines(head)
    return lines if len(head) < HEAD else lines[:-1]


def _cells(head: str, form: Form, numeric: Sequence[str]) -> Iterator[str]:
    """The cells of some columns in the head."""
    every = records(_whole_lines(head), form.delimiter, form.quotes)
    rows = (cells for _, cells in every if cells)
    header = [name.strip() for name in next(rows, [])]
    places = [header.index(name) for name in numeric if name in header]
    for cells in rows:
        if len(cells) == len(header):
            yield from (cells[place].strip() for place in places)


def dialect(delimiter: str, quotes: bool) -> dict[str, Any]:
    """The settings of the module's own reader."""
    quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    return {"strict": True, "delimiter": delimiter, "quoting": quoting}


def records(
    lines: Iterable[str], delimiter: str, quotes: bool = True
) -> Iterator[tuple[int, list[str] | None]]:
    """The index of each row's first line, with the row's cells; None if a quote is stray.

    No more lines are held than the row under way has.
    """
    source, held = iter(lines), []  # the lines from `start` on that have been read

    def feed(again: Sequence[str]) -> Iterator[str]:
        yield from again
        for line in source:
            held.append(line)
            yield line

    start = offset = 0
    how = dialect(delimiter, quotes)
    reader = csv.reader(feed(()), **how)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            # The row may have swallowed good ones: only its first line is given up.
            yield start, None
            del held[:1]
            start = offset = start + 1
            reader = csv.reader(feed(tuple(held)), **how)
        else:
            if cells:
                yield start, cells
            del held[: offset + reader.line_num - start]
            start = offset + reader.line_num


def is_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Return True if a row is the header again, as of a file that was joined from several."""
    same = len(cells) > 1 and list(cells[1:]) == list(header[1:])
    return same and cells[0].lstrip(MARK) == header[0].lstrip(MARK)


def _checked(
    header: list[str], cells: list[str], values: dict[str, str | None], form: Form
) -> tuple[dict[str, str | None], str | None]:
    if not is_text(*cells):
        return values, form.wrong
    if len(cells) < len(header):
        return values, "too few cells"
    if len(cells) > len(header):
        rest = (form.delimiter or ",").join(cells[len(header) :])
        return {**values, RAW: rest}, "too many cells"
    return values, None
