"""The reader of JSON Lines files: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saegrid.text.corpora.rows import RAW, Needed, Record, Row, check_columns, is_text, over_files


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the source's JSON Lines files; numbers keep the digits of the file."""
    return over_files(source, read)


def read(file: Path, wanted: Needed) -> Iterator[Record]:
    """The rows of one file; a line that is no JSON object comes with its problem."""
    records = list(_records(file))
    good = {name: None for record in records if not record.problem for name in record.values}
    if records:
        check_columns(file, good, wanted)
    yield from records


def _records(file: Path) -> Iterator[Record]:
    with file.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield Record(number, *_parsed(line))


def _parsed(line: str) -> tuple[dict[str, str | None], str | None]:
    if not is_text(line):
        return {RAW: line}, "not UTF-8"
    try:
        fields = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError:
        return {RAW: line}, "not JSON"
    if not isinstance(fields, dict):
        return {RAW: line}, "not a JSON object"
    values = {name: _text(value) for name, value in fields.items()}
    # JSON may spell half a surrogate pair, which is no character.
    return values, None if is_text(*values, *values.values()) else "not UTF-8"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
