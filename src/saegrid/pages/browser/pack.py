"""Packing for pages: compressed chunks, one table of distinct strings, columns as JSON texts.

What a page holds of each feature, example or token is written as JSON a column at a time, for a
python object of each would take most of the time of a page.
"""

import base64
import gzip
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def packed(text: str) -> str:
    """A text as base64 of gzip; the same text gives the same."""
    return packed_bytes(text.encode())


def packed_bytes(body: bytes, level: int = 4) -> str:
    """Bytes as base64 of gzip; the same bytes give the same."""
    return base64.b64encode(gzip.compress(body, compresslevel=level, mtime=0)).decode()


def dumped(value: Any) -> str:
    """A value as JSON; the same value gives the same text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def integers(values: np.ndarray) -> pa.StringArray:
    """Whole numbers as JSON, one by one."""
    return pa.array(values).cast(pa.string())


def scalars(values: Sequence[str | float | None]) -> pa.StringArray:
    """Strings or numbers as JSON, one by one."""
    text = json.dumps(values, separators=("\n", ":"), ensure_ascii=False, allow_nan=False)
    return pa.array(text[1:-1].split("\n") if values else [], pa.string())  # JSON escapes newlines


def quoted(characters: np.ndarray, offsets: np.ndarray) -> pa.StringArray:
    """The JSON string of each row of ASCII codes (flat,) uint8 that need no escape."""
    starts = pa.py_buffer((offsets - offsets[0]).astype(np.int32))
    part = pa.py_buffer(np.ascontiguousarray(characters[offsets[0] : offsets[-1]]))
    texts = pa.StringArray.from_buffers(len(offsets) - 1, starts, part)
    return pc.binary_join_element_wise('"', texts, '"', "")


def lists(flat: np.ndarray | list[Any] | pa.StringArray, offsets: np.ndarray) -> pa.StringArray:
    """The JSON list of each row; row i holds offsets[i] to offsets[i + 1].

    flat: whole numbers as an array, other numbers as a list, or JSON texts.
    """
    part = flat[int(offsets[0]) : int(offsets[-1])]
    if not isinstance(part, pa.StringArray):
        part = scalars(part) if isinstance(part, list) else integers(part)
    rows = pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), part)
    return pc.binary_join_element_wise("[", pc.binary_join(rows, ","), "]", "")


def tuples(*columns: pa.StringArray | str) -> pa.StringArray:
    """The JSON list of each row that holds one text of each column."""
    inner = pc.binary_join_element_wise(*columns, ",") if columns else ""
    return pc.binary_join_element_wise("[", inner, "]", "")


def objects(columns: Mapping[str, pa.StringArray]) -> pa.StringArray:
    """The JSON object of each row; it lacks the names whose text is null."""
    named = [pc.binary_join_element_wise(f',"{x}":', columns[x], "") for x in sorted(columns)]
    # Arrow's "skip" loses rows in which all are null, so that nulls become nothing here.
    inner = pc.binary_join_element_wise(*named, "", null_handling="replace", null_replacement="")
    return pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(inner, 1), "}", "")


def unless(texts: pa.StringArray, empty: str) -> pa.StringArray:
    """The texts, null where they are `empty`."""
    return pc.if_else(pc.equal(texts, empty), pa.scalar(None, pa.string()), texts)


def chunks(texts: Sequence[str], size: int) -> list[str]:
    """JSON texts as packed JSON lists of so many."""
    starts = range(0, len(texts), size)
    return [packed(f"[{','.join(texts[i : i + size])}]") for i in starts]


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


def slices(flat: Sequence[Any], offsets: np.ndarray) -> list[Any]:
    """The rows of a flat list."""
    return [flat[a:b] for a, b in itertools.pairwise(offsets.tolist())]


def expand(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of the half-open ranges, and which range each comes from: (owner, number)."""
    lengths = stop - start
    owner = np.repeat(np.arange(len(start)), lengths)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return owner, np.repeat(start, lengths) + np.arange(len(owner)) - first


def floats(values: np.ndarray) -> list[float | None]:
    """float32 values as the shortest decimals that read back as the same float32; NaN as None."""
    shortest = pa.array(np.asarray(values, np.float32)).cast(pa.string())
    return _or_none(shortest.cast(pa.float64()).to_numpy())


def rounded(values: np.ndarray, digits: int = 6) -> list[float | None]:
    """Values with so many significant digits; NaN as None."""
    plain = np.asarray(values, np.float64).ravel().tolist()
    texts = (f"%.{digits}g " * len(plain) % tuple(plain)).split()
    return _or_none(np.array(list(map(float, texts))))


def _or_none(values: np.ndarray) -> list[float | None]:
    """The numbers, NaN as None."""
    numbers: list[float | None] = values.tolist()
    for place in np.flatnonzero(np.isnan(values)).tolist():
        numbers[place] = None
    return numbers
