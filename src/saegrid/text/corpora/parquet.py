"""The reader of parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from saegrid.text.corpora.rows import (
    CorpusError,
    Needed,
    Record,
    Row,
    check_columns,
    is_text,
    over_files,
)


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the source's parquet files, with the columns that it needs."""
    return over_files(source, read)


def read(file: Path, wanted: Needed) -> Iterator[Record]:
    """The rows of one file, counted from 1; numbers become the shortest text with the same
    value."""
    try:
        with pq.ParquetFile(file) as opened:
            check_columns(file, opened.schema_arrow.names, wanted)
            number = 0
            for batch in opened.iter_batches(columns=list(wanted)):
                names, columns = batch.schema.names, map(_texts, batch.columns)
                for cells in zip(*columns, strict=True):
                    number += 1
                    problem = None if is_text(*cells) else "not UTF-8"
                    yield Record(number, dict(zip(names, cells, strict=True)), problem)
    except (pa.ArrowException, OSError) as problem:
        raise CorpusError(
            f"{file} cannot be read as parquet: {problem}. Fetch or write the file again."
        ) from problem


def _texts(column: pa.Array) -> list[str | None]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        return [
            None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist()
        ]
    if not pa.types.is_large_binary(column.type) and not pa.types.is_binary(column.type):
        column = column.cast(pa.large_string())
    # As bytes, since one string that is not UTF-8 would stop the whole column.
    cells = column.cast(pa.large_binary()).to_pylist()
    return [None if cell is None else cell.decode(errors="surrogateescape") for cell in cells]
