"""The reader of JSON: one object a line, an array of objects, or objects over several lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from saegrid.text.corpora.form import Form, bytes_form, head_text, open_text
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

LINES = 200
"""Objects of a file that are looked at before it is read."""
CHUNK = 1 << 18
"""Characters that are read at a time of what is no line."""
LONGEST = 1 << 28
"""Characters of the longest object."""
BLANK = " \t\r\n"
"""Blanks of JSON."""
MARK = "\ufeff"
"""A byte order mark, which stands within files that were joined."""


class Value(NamedTuple):
    """A value of a file, with its first line."""

    line: int
    value: Any
    problem: str | None = None
    """Reason why it is none; `value` is then its text."""


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the source's JSON files; numbers keep the digits of the file."""
    return over_files(source, read)


def read(file: Path, source: Mapping[str, Any]) -> Read:
    """The rows of one file; what is no JSON object comes with its problem."""
    written, wanted = form(file, source), needed(source)

    def records() -> Iterator[Record]:
        every = [_record(value, wanted, written) for value in values(file, written)]
        good = {name: None for record in every if not record.problem for name in record.values}
        # Where nothing is good, the rows tell why.
        if good:
            check_columns(file, good, wanted)
        yield from every

    return Read(written, records())


def form(file: Path, source: Mapping[str, Any]) -> Form:
    """The form of a file, with the shape of its JSON."""
    plain = bytes_form(file, source)
    return plain._replace(shape=_shape(head_text(file, plain)))


def columns(file: Path, source: Mapping[str, Any]) -> list[str]:
    """The names of the first objects of a file.

    Raises:
        CorpusError: none of them is an object, or a column that is asked for holds lists or
            objects in all of them.
    """
    wanted, seen = needed(source), []
    for value in values(file, form(file, source)):
        seen += [value.value] if not value.problem and isinstance(value.value, dict) else []
        if len(seen) == LINES or (value.line > LINES and not seen):
            break
    if not seen:
        raise CorpusError(
            f"{file}: none of the first lines is a JSON object; expected one a line, or an array "
            'of them, such as {"id": "1", "text": "..."}.'
        )
    inner = [name for name, cell in seen[0].items() if _holds_objects(cell)]
    if len(seen) == 1 and inner and not {*wanted} <= {*seen[0]}:
        raise CorpusError(
            f"{file} holds one object, in which {inner[0]!r} is a list of objects: if these are "
            "the rows, write that list alone."
        )
    for name, key in wanted.items():
        cells = [one[name] for one in seen if one.get(name) is not None]
        if cells and all(isinstance(cell, dict | list) for cell in cells):
            raise CorpusError(
                f"{file}: the column {name!r}, which {key} asks for, holds {_kind(cells[0])}s; "
                "expected text or numbers. Write its values out, or name another column."
            )
    return list(dict.fromkeys(name for one in seen for name in one))


def values(file: Path, form: Form, spelled: bool = True) -> Iterator[Value]:
    """The values of a file, in bounded memory; a line that is no JSON comes with its problem.

    spelled: numbers are texts with the digits of the file.

    Raises:
        CorpusError: an array, or an object over several lines, is damaged.
    """
    decoder = DECODER if spelled else NUMBERS
    with open_text(file, form) as opened:
        if form.shape == "lines":
            for number, line in enumerate(opened, start=1):
                if line.strip():
                    yield _line(number, line, form, decoder)
        else:
            yield from _Scanner(file, opened, form.shape == "array", decoder)


def _line(number: int, line: str, form: Form, decoder: json.JSONDecoder) -> Value:
    if not is_text(line):
        return Value(number, line, form.wrong)
    try:
        return Value(number, decoder.decode(line.strip(BLANK + MARK)))
    except Repeated:
        return Value(number, line, REPEATED)
    except (ValueError, RecursionError):
        return Value(number, line, "not JSON")


class Repeated(ValueError):
    """An object in which a key stands twice: which of its values is meant cannot be known."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise Repeated(REPEATED)
    return values


NUMBERS = json.JSONDecoder(object_pairs_hook=_once)
LENIENT = json.JSONDecoder(parse_int=str)
"""A decoder that takes repeated keys, for a look at the shape."""
REPEATED = "a key stands twice in an object"


def _constant(name: str) -> str | None:
    """The text of a constant of JSON; None for NaN, which often stands for a missing value."""
    return None if name == "NaN" else name


DECODER = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=_constant, object_pairs_hook=_once
)


class _Scanner:
    """The values of an array, or values one after another, read a chunk at a time."""

    def __init__(
        self, file: Path, opened: TextIO, in_array: bool, decoder: json.JSONDecoder
    ) -> None:
        self.file, self.opened, self.in_array, self.decoder = file, opened, in_array, decoder
        self.text, self.at, self.line = "", 0, 1

    def __iter__(self) -> Iterator[Value]:
        if self.in_array:
            self._take("[")
            if self._next() == "]":
                self.at += 1
                return self._end()
        while self._next():
            line = self.line
            yield Value(line, self._value())
            following = self._next()
            if self.in_array and following == "]":
                self.at += 1
                return self._end()
            if self.in_array:
                self._take(",")
        if self.in_array:
            raise self._error("the array is not closed")

    def _more(self) -> bool:
        """Read on; False at the end of the file. A longer wait reads more at once."""
        chunk = self.opened.read(max(CHUNK, len(self.text) - self.at))
        self.text, self.at = self.text[self.at :] + chunk, 0
        return bool(chunk)

    def _next(self) -> str:
        """The next character that is no blank, or an empty text at the end."""
        while True:
            stop = self.at
            while stop < len(self.text) and self.text[stop] in BLANK:
                stop += 1
            self._pass(stop)
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def _pass(self, stop: int) -> None:
        self.line += self.text.count("\n", self.at, stop)
        self.at = stop

    def _take(self, character: str) -> None:
        following = self._next()
        if not following:
            raise self._error("the array is not closed")
        if following != character:
            raise self._error(f"{character!r} was expected")
        self.at += 1

    def _value(self) -> Any:
        while True:
            try:
                value, stop = self.decoder.raw_decode(self.text, self.at)
            except RecursionError:
                raise self._error("a value is nested too deep") from None
            except Repeated:
                raise self._error(REPEATED) from None
            except ValueError as problem:
                if len(self.text) - self.at > LONGEST:
                    raise self._error("an object has no end") from None
                if not self._more():
                    what = getattr(problem, "msg", "no JSON")
                    raise self._error(f"this is no JSON: {what}") from None
            else:
                self._pass(stop)
                return value

    def _end(self) -> None:
        if self._next():
            raise self._error("something follows the array")

    def _error(self, what: str) -> CorpusError:
        return CorpusError(
            f"{self.file}, line {self.line}: {what}. Mend the file, or write one object a line."
        )


def _shape(head: str) -> str:
    """The shape of a file by its head: lines, array, or objects over several lines."""
    first, _, rest = head.lstrip(BLANK).partition("\n")
    whole = _is_json(first.strip(BLANK))
    if first.startswith("["):
        # Lines of lists hold no objects, and each is told.
        return "lines" if whole and rest.lstrip(BLANK).startswith("[") else "array"
    if whole or not first.startswith("{"):
        return "lines"
    text = head.lstrip(BLANK)
    try:
        LENIENT.raw_decode(text)
    except json.JSONDecodeError as problem:
        # Cut by the look, and so far without a mistake.
        is_cut = len(head) >= 1 << 20 and problem.pos >= len(text.rstrip()) - 1
        return "objects" if is_cut else "lines"
    except RecursionError:
        return "lines"
    return "objects"


def _is_json(text: str) -> bool:
    try:
        LENIENT.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _record(value: Value, wanted: Needed, form: Form) -> Record:
    if value.problem:
        return Record(value.line, {RAW: value.value}, value.problem)
    if not isinstance(value.value, dict):
        return Record(value.line, {RAW: json.dumps(value.value)}, "not a JSON object")
    nested = [
        f"{_kind(cell)} and no text: {name}"
        for name, cell in value.value.items()
        if name in wanted and isinstance(cell, dict | list)
    ]
    cells = {name: _text(cell) for name, cell in value.value.items()}
    # JSON may spell half a surrogate pair, which is no character.
    wrong = None if is_text(*cells, *cells.values()) else form.wrong
    return Record(value.line, cells, wrong or next(iter(nested), None))


def _holds_objects(cell: Any) -> bool:
    return isinstance(cell, list) and bool(cell) and isinstance(cell[0], dict)


def _kind(cell: Any) -> str:
    return "list" if isinstance(cell, list) else "object"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
