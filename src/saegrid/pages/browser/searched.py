"""The features of all cells as the page of the map searches them: columns of numbers, and strings
that stand once.

A page of 150 cells holds some hundred thousand features. Their columns are typed arrays, one after
the other in one compressed chunk, so that the page has them without taking a text apart.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.evidence.intervals import exact
from saegrid.meaning.atlas import FORMS, KINDS, Concept
from saegrid.meaning.enrichment import adjusted
from saegrid.meaning.occurrences import SHOWN
from saegrid.pages.browser.pack import dumped, encode_strings, flatten, packed, packed_bytes

MOST = 200_000
"""Features that the page carries."""
COLUMNS = [
    *("feature", "kind", "label", "concept", "lexicon", "n_shown", "n_concept", "log10_p"),
    *("n_word", "n_token", "n_letter", "n_ending", "n_start", "n_stop", "words"),
]
"""Columns of concepts.parquet that are read."""
HUNDREDTHS = 100
"""Parts of the log10 of a p that the page keeps."""
LEAST = -320.0
"""Smallest log10 p that it keeps."""
COMMA, STANDS = r"(^|, ), (\d)", "\x1f"
"""A comma that is a listed word itself, with its count, and what stands for it while the list is
split at commas."""
COUNT = r"(?s)^(?P<word>.*) (?P<n>[2-9]|1\d|20)$"
"""A listed word with its number, `hair 12`; a word that stands once has none."""
WIDEST = 12
"""Listed words of a feature that are kept at most."""
TYPES = (np.uint8, np.uint16, np.uint32)


class Family(NamedTuple):
    """A cell of the page."""

    cell: str
    smallest: np.ndarray
    """(permutation,) smallest log10 p over all cells of its family."""


class Searched(NamedTuple):
    """The data that the page reads."""

    head: str
    """Packed JSON: cells, strings and the layout of the columns."""
    columns: str
    """The packed columns."""
    n: int
    """Features that are carried."""
    n_judged: int
    n_of_something: int
    """Features of a kind other than none."""


def searched(
    cells: Sequence[tuple[Family, pa.Table]],
    concepts: Mapping[Concept, str],
    names: Mapping[str, pa.Table] | None = None,
    most: int = MOST,
) -> Searched:
    """The features of all cells: those of any kind but none, and of the others those with the
    smallest p, `most` in all.

    cells: concepts.parquet of each, its rows by feature. concepts: title by lexicon and name.
    names: names.parquet of cells, with columns feature and name, where there are any.
    """
    tables = [table.select(COLUMNS) for _, table in cells]
    sizes = [table.num_rows for table in tables]
    every = pa.concat_tables(tables).combine_chunks() if tables else None
    n_judged = sum(sizes)
    if not n_judged:
        return Searched(
            packed(dumped(_head([], [], [], [], [], {}, 0))), packed_bytes(b""), 0, 0, 0
        )
    kind = _codes(every["kind"], KINDS)
    log10_p = every["log10_p"].to_numpy()
    cell = np.repeat(np.arange(len(cells)), sizes)
    kept = np.sort(np.lexsort((log10_p, kind == KINDS.index("none")))[:most])
    n_of_something = int((kind != KINDS.index("none")).sum())
    rows, kind, cell, log10_p = every.take(pa.array(kept)), kind[kept], cell[kept], log10_p[kept]
    is_form = np.isin(kind, [KINDS.index(name) for name in FORMS])
    known = list(concepts)
    concept = np.where(is_form, 0, _concepts(rows, known))
    labels, (label,) = _strings(pc.if_else(pa.array(is_form), rows["label"], None))
    words, codes, counts = _words(rows["words"])
    named, (name,) = _strings(_named(cells, rows["feature"].to_numpy(), cell, names))
    columns = {
        "feature": _steps(rows["feature"].to_numpy(), cell),
        "kind": kind,
        "label": label,
        "concept": concept,
        "n": _support(rows, kind),
        "n_shown": rows["n_shown"].to_numpy(),
        "p": np.where(is_form, 0, -np.maximum(log10_p, LEAST) * HUNDREDTHS).round(),
        "dealt": np.where(is_form, 0, _reached(cells, log10_p, cell)),
        **({"name": name} if named else {}),
        **{f"word{i}": codes[:, i] for i in range(codes.shape[1])},
        **{f"count{i}": counts[:, i] for i in range(counts.shape[1])},
    }
    narrow = {name: _narrow(values) for name, values in columns.items()}
    head = _head(
        [[one.cell, int(n)] for (one, _), n in zip(
            cells, np.bincount(cell, minlength=len(cells)), strict=True)],
        labels,
        [[lexicon, concept, concepts[lexicon, concept]] for lexicon, concept in known],
        words,
        named,
        {name: values.dtype.itemsize for name, values in narrow.items()},
        len(kept),
    ) | {"permutations": [len(one.smallest) for one, _ in cells]}  # fmt: skip
    # Wide columns first, so that each begins where its type can.
    body = b"".join(
        narrow[name].tobytes()
        for name in sorted(narrow, key=lambda name: -narrow[name].dtype.itemsize)
    )
    return Searched(
        packed(dumped(head)), packed_bytes(body, 6), len(kept), n_judged, n_of_something
    )


def _head(
    cells: list[Any],
    labels: list[str],
    concepts: list[list[str]],
    words: list[str],
    names: list[str],
    columns: Mapping[str, int],
    n: int,
) -> dict[str, Any]:
    """The strings and the layout. columns: bytes of a number by name, in the order of the body."""
    return {
        "n": n,
        "cells": cells,
        "kinds": list(KINDS),
        "labels": labels,
        "concepts": concepts,
        "words": words,
        "names": names,
        "columns": sorted(columns.items(), key=lambda one: -one[1]),
        "hundredths": HUNDREDTHS,
    }


def intervals() -> dict[str, list[list[float]]]:
    """Both ends, low and high, of the exact interval of k of n by n and k, of all shown rows that
    there can be."""
    k, n = np.meshgrid(np.arange(SHOWN + 1), np.arange(SHOWN + 1))
    ends = zip(("low", "high"), exact(np.minimum(k, n), n), strict=True)
    return {name: [[round(x, 6) for x in row] for row in end.tolist()] for name, end in ends}


def _codes(column: pa.ChunkedArray, known: Sequence[str]) -> np.ndarray:
    return pc.index_in(column, pa.array(known, pa.string())).to_numpy(zero_copy_only=False)


def _concepts(rows: pa.Table, known: Sequence[Concept]) -> np.ndarray:
    """(row,) one more than the number of the concept, 0 where there is none."""
    pair = pc.binary_join_element_wise(rows["lexicon"], rows["concept"], "\x1f")
    place = pc.index_in(pair, pa.array(["\x1f".join(one) for one in known], pa.string()))
    return pc.add(pc.fill_null(place, -1), 1).to_numpy(zero_copy_only=False)


def _strings(column: pa.Array | pa.ChunkedArray) -> tuple[list[str], tuple[np.ndarray]]:
    """The distinct texts, the commonest first, and one more than the number of each; 0 of null."""
    plain = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    some = pc.is_valid(plain).to_numpy(zero_copy_only=False)
    strings, (codes,) = encode_strings(plain.filter(pa.array(some)))
    numbers = np.zeros(len(plain), np.int64)
    numbers[some] = codes + 1
    return strings, (numbers,)


def _words(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The listed words of each row: distinct words, (row, place) one more than the number of each,
    0 of none, and (row, place) how often each stands among the shown rows."""
    listed = pc.replace_substring_regex(pc.fill_null(column, ""), COMMA, f"\\1{STANDS} \\2")
    flat, offsets = flatten(pc.split_pattern(listed, ", "))
    parts = pc.extract_regex(flat, COUNT)
    word = pc.fill_null(pc.struct_field(parts, "word"), flat) if len(flat) else flat
    word = pc.replace_substring(word, STANDS, ",")
    number = pc.fill_null(pc.struct_field(parts, "n").cast(pa.int64()), 1)
    word = pc.if_else(pc.equal(word, ""), pa.scalar(None, pa.string()), word)
    strings, (codes,) = _strings(word)
    sizes = np.diff(offsets)
    width = min(int(sizes.max(initial=1)), WIDEST)
    row = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(row)) - np.repeat(offsets[:-1], sizes)
    kept = place < width
    tables = np.zeros((2, len(sizes), width), np.int64)
    tables[0, row[kept], place[kept]] = codes[kept]
    tables[1, row[kept], place[kept]] = number.to_numpy(zero_copy_only=False)[kept]
    return strings, tables[0], np.where(tables[0] > 0, tables[1], 0)


def _named(
    cells: Sequence[tuple[Family, pa.Table]],
    feature: np.ndarray,
    cell: np.ndarray,
    names: Mapping[str, pa.Table] | None,
) -> pa.Array:
    """(row,) the name of each feature, null where it has none."""
    texts: list[str | None] = [None] * len(feature)
    for number, (one, _) in enumerate(cells if names else ()):
        table = (names or {}).get(one.cell)
        if table is None:
            continue
        of = dict(zip(table["feature"].to_pylist(), table["name"].to_pylist(), strict=True))
        for row in np.flatnonzero(cell == number).tolist():
            texts[row] = of.get(int(feature[row]))
    return pa.array(texts, pa.string())


def _steps(feature: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The features of each cell by the step from the one before, which compresses well."""
    feature = feature.astype(np.int64)
    first = np.append(True, cell[1:] != cell[:-1])
    return np.where(first, feature, feature - np.append(0, feature[:-1]))


def _support(rows: pa.Table, kind: np.ndarray) -> np.ndarray:
    """(row,) shown rows that have what the feature is of; of none and coherent: the concept."""
    n = {name: rows[name].to_numpy() for name in rows.column_names if name.startswith("n_")}
    of = {
        "word": np.maximum(n["n_word"], n["n_token"]),
        "token": n["n_token"],
        "letter": n["n_letter"],
        "ending": n["n_ending"],
        "position": np.maximum(n["n_start"], n["n_stop"]),
    }
    names = [KINDS.index(name) for name in of]
    return np.select([kind == code for code in names], list(of.values()), n["n_concept"])


def _reached(
    cells: Sequence[tuple[Family, pa.Table]], log10_p: np.ndarray, cell: np.ndarray
) -> np.ndarray:
    """(row,) dealt lexicons whose smallest p over all cells is as small: p = (1 + these) / (1 + n),
    see `enrichment.adjusted`."""
    reached = np.zeros(len(log10_p), np.int64)
    for number, (one, _) in enumerate(cells):
        own = cell == number
        p = adjusted(log10_p[own], one.smallest)
        reached[own] = np.rint(p * (len(one.smallest) + 1)).astype(np.int64) - 1
    return reached


def _narrow(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 on in as few bytes as hold them."""
    most = values.max(initial=0)
    kind = next(one for one in TYPES if most <= np.iinfo(one).max)
    return values.astype(np.dtype(kind).newbyteorder("<"))
