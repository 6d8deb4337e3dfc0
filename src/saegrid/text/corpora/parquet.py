"""The reader of parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from saegrid.text.corpora.rows import (
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


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the source's parquet files, with the columns that it needs."""
    return over_files(source, read)


def read(file: Path, source: Mapping[str, Any]) -> Read:
    """The rows of one file, counted from 1; numbers become the shortest text with the same
    value."""
    return Read(None, _rows(file, needed(source)))


def _rows(file: Path, wanted: Needed) -> Iterator[Record]:
    number = 0
    for batch in batches(file, wanted):
        columns = [texts(file, name, batch.column(name)) for name in wanted]
        for cells in zip(*columns, strict=True):
            number += 1
            problem = None if is_text(*cells) else "not UTF-8"
            yield Record(number, dict(zip(wanted, cells, strict=True)), problem)


def columns(file: Path, source: Mapping[str, Any]) -> list[str]:
    """The names of the columns of a file; CorpusError where one that is asked for holds no text."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
    _check_types(file, schema, {n: k for n, k in needed(source).items() if n in schema.names})
    return schema.names


@contextmanager
def opened(file: Path) -> Iterator[pq.ParquetFile]:
    """A parquet file; CorpusError where it cannot be read."""
    try:
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as problem:
        said = str(problem).partition("\n")[0].rstrip(".")
        raise CorpusError(
            f"{file} cannot be read as parquet: {said}. Fetch or write the file again."
        ) from problem


def batches(file: Path, wanted: Needed, n: int = 65_536) -> Iterator[pa.RecordBatch]:
    """The columns that are asked for, some rows at a time.

    Raises:
        CorpusError: the file cannot be read, a column is not there or holds no text.
    """
    with opened(file) as parquet:
        check_columns(file, parquet.schema_arrow.names, wanted)
        _check_types(file, parquet.schema_arrow, wanted)
        yield from parquet.iter_batches(n, columns=list(wanted))


def _check_types(file: Path, schema: pa.Schema, wanted: Needed) -> None:
    """CorpusError where a column that is asked for holds lists, structs or maps."""
    for name, key in wanted.items():
        kind = schema.field(name).type if schema.names.count(name) == 1 else pa.null()
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_nested(kind):
            raise CorpusError(
                f"{file}: the column {name!r}, which {key} asks for, holds {str(kind)[:60]}; "
                "expected text or numbers. Write its values out, or name another column."
            )


def texts(file: Path, name: str, column: pa.Array) -> list[str | None]:
    """The cells of a column as text; bytes that are not UTF-8 become lone surrogates."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    try:
        if pa.types.is_fixed_size_binary(column.type):
            column = column.cast(pa.binary())
        if not pa.types.is_large_binary(column.type) and not pa.types.is_binary(column.type):
            column = column.cast(pa.large_string())
    except pa.ArrowException:
        raise CorpusError(
            f"{file}: the column {name!r} holds {kind}, which cannot be read as text. Write it as "
            "text or numbers."
        ) from None
    # As bytes, since one string that is not UTF-8 would stop the whole column.
    cells = column.cast(pa.large_binary()).to_pylist()
    return [None if cell is None else cell.decode(errors="surrogateescape") for cell in cells]
