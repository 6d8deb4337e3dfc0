"""Packing for pages: compressed chunks, one table of distinct strings, columns as plain lists."""

import base64
import gzip
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def packed(value: Any) -> str:
    """A value as base64 of gzipped JSON; the same value gives the same text."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


def encode_strings(*columns: pa.Array) -> tuple[list[str], list[np.ndarray]]:
    """The distinct strings of all columns, the most frequent first, and each column as int32 codes.

    Frequent strings get short numbers, which is what makes the chunks small. Ties keep the order of
    first appearance. A null counts as the empty string.
    """
    plain = [pc.fill_null(column.cast(pa.string()), "") for column in columns]
    encoded = pa.chunked_array(plain, pa.string()).combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(encoded.dictionary))
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    strings = encoded.dictionary.take(pa.array(order)).to_pylist()
    ends = np.cumsum([len(column) for column in plain])
    return strings, np.split(place[codes] if len(codes) else codes, ends[:-1])


def flatten(column: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray]:
    """A list column as its flat values and the offsets (row + 1,) of the rows in them."""
    lists = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return lists.flatten(), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def pairs(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Start and stop of each row."""
    return itertools.pairwise(offsets.tolist())


def slices(flat: Sequence[Any], offsets: np.ndarray) -> list[Any]:
    """The rows of a flat list or string."""
    return [flat[a:b] for a, b in pairs(offsets)]


def expand(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of the half-open ranges, and which range each comes from: (owner, number)."""
    lengths = stop - start
    owner = np.repeat(np.arange(len(start)), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return owner, np.repeat(start, lengths) + np.arange(len(owner)) - first


def floats(values: np.ndarray) -> list[float | None]:
    """float32 values as the shortest decimals that read back as the same float32; NaN as None."""
    decimals = np.asarray(values, np.float32).astype("U").astype(np.float64)
    return [None if math.isnan(value) else value for value in decimals.tolist()]


def rounded(values: np.ndarray, digits: int = 6) -> list[float | None]:
    """Values with so many significant digits; NaN as None."""
    return [
        None if math.isnan(value) else float(f"{value:.{digits}g}")
        for value in np.asarray(values, np.float64).tolist()
    ]
