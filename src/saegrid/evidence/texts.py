"""The texts of a corpus as units of analysis, and the activations of features on them.

A view of a text is a choice of its tokens: those of the edit, those that the edit replaced, all of
an unpaired text. The activation of a feature on a view is its largest one on these tokens.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.base.words import EDITED, ORIGINAL, PLAIN
from saegrid.codes.sparse import Features
from saegrid.text.split import mix

TEXT, EDIT_TOKEN, CONTEXT_TOKEN = "text", "edit_token", "context_token"
VIEWS = {
    EDITED: "the tokens of the edit",
    ORIGINAL: "the tokens that the edit replaced",
    TEXT: "all captured tokens of an unpaired text",
    EDIT_TOKEN: "one token of the edit, drawn by seed",
    CONTEXT_TOKEN: "one captured token of the edited text outside the edit, drawn by seed",
}
"""Choices of the tokens of a text."""


class View(NamedTuple):
    """The tokens of each item in a view."""

    item: np.ndarray
    """(entry,) int32 items, ascending by token."""
    token: np.ndarray
    """(entry,) int64 token indices, ascending; a token of an original stands once for each of its
    items."""
    present: np.ndarray
    """(item,) bool: the item has this view. The span of a present one may be empty."""


class Texts(NamedTuple):
    """The items of a corpus with the places of their tokens."""

    labels: Mapping[str, Any]
    """Columns of items.parquet by name; numbers as float64, texts as lists."""
    cluster: np.ndarray
    """(item,) int32: items of one original text have one cluster."""
    views: Mapping[str, View]
    spans: Mapping[str, np.ndarray]
    """Numbers of each item's text for nuisances, float64; see `texts`."""

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.cluster)

    @property
    def is_paired(self) -> bool:
        """True if the texts are edits of originals."""
        return EDITED in self.views


def texts(items: pa.Table, tokens: pa.Table, spans: pa.Table, seed: int = 0) -> Texts:
    """The texts of a corpus.

    items, tokens, spans: the tables of the corpus. seed: of the tokens that are drawn for K5.
    `spans` of the result holds n_tokens (of the edit, or of an unpaired text), position (tokens
    before the edit) and length (tokens of the whole text); NaN where the item has no row.
    """
    n = items.num_rows
    usable = ~_truth(tokens["special"])
    side = np.asarray(spans["side"].cast(pa.string()))
    columns = {name: spans[name].to_numpy() for name in spans.column_names if name != "side"}
    columns["first"] = _first_of_rows(tokens["row"].to_numpy())[columns["row"]]
    views, numbers = {}, {}
    if (side == EDITED).any():
        edits = _of_side(columns, side == EDITED)
        for name, of in ((EDITED, edits), (ORIGINAL, _of_side(columns, side == ORIGINAL))):
            views[name] = _view(of, "edit_start", "edit_stop", usable, n)
        inside = views[EDITED]
        views[EDIT_TOKEN] = _drawn(inside, seed, n)
        numbers = _numbers(edits, n, "edit_start", "edit_stop")
    else:
        plain = _of_side(columns, side == PLAIN)
        views[TEXT] = _view(plain, "start", "stop", usable, n)
        numbers = _numbers(plain, n, "start", "stop")
    labels = {name: _column(items[name]) for name in items.column_names}
    return Texts(labels, items["group"].to_numpy(), views, numbers)


def with_context(texts: Texts, tokens: pa.Table, captured: np.ndarray, seed: int = 0) -> Texts:
    """The texts with a context token each, where one was captured. captured: token indices.

    The token of the edit that it is compared with is drawn from the edit alone, so that both are
    single tokens and the difference of two firings is symmetric under the null.
    """
    if not texts.is_paired:
        return texts
    item = tokens["item"].to_numpy()
    ours = ~_truth(tokens["special"]) & ~_truth(tokens["in_edit"]) & (item >= 0)
    ours &= np.asarray(tokens["side"].cast(pa.string())) == EDITED
    seen = np.zeros(len(item), bool)
    seen[captured] = True
    index = np.flatnonzero(ours & seen)
    every = View(item[index], index, np.bincount(item[index], minlength=texts.n) > 0)
    return texts._replace(
        views={**texts.views, CONTEXT_TOKEN: _drawn(every, seed + 1, texts.n)},
    )


def pool(features: Features, view: View, n: int) -> sparse.csc_matrix:
    """(item, feature) float32: the largest activation of each feature on the tokens of each item's
    view, zeros left out. n: items of the corpus."""
    size = int(max(view.token.max(initial=-1), features.indices.max(initial=-1))) + 1
    start = np.searchsorted(view.token, np.arange(size + 1))
    counts = np.diff(start)[features.indices]
    entry = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(counts) - counts, counts)
    item = view.item[start[features.indices[entry]] + within].astype(np.int64)
    place = features.owners()[entry].astype(np.int64) * n + item
    order = np.argsort(place, kind="stable")
    place = place[order]
    opens = np.flatnonzero(np.diff(place, prepend=-1))
    values = features.data[entry[order]]
    data = np.maximum.reduceat(values, opens) if len(opens) else values
    place = place[opens]
    filled = np.bincount(place // n, minlength=features.d_sae) if n else np.zeros(features.d_sae)
    indptr = np.concatenate([[0], np.cumsum(filled)]).astype(np.int64)
    return sparse.csc_matrix((data, (place % max(n, 1)), indptr), shape=(n, features.d_sae))


def _first_of_rows(row: np.ndarray) -> np.ndarray:
    """(row,) the token index at which each row begins."""
    opens = np.flatnonzero(np.diff(row, prepend=-1))
    first = np.full(int(row.max(initial=-1)) + 1, -1, np.int64)
    first[row[opens]] = opens
    return first


def _of_side(columns: Mapping[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[chosen] for name, column in columns.items()}


def _view(of: Mapping[str, np.ndarray], start: str, stop: str, usable: np.ndarray, n: int) -> View:
    """The usable tokens between two places of each span."""
    length = (of[stop] - of[start]).astype(np.int64)
    item = np.repeat(of["item"], length)
    within = np.arange(len(item)) - np.repeat(np.cumsum(length) - length, length)
    token = np.repeat(of["first"] + of[start], length) + within
    kept = usable[token]
    item, token = item[kept], token[kept]
    order = np.lexsort((item, token))
    present = np.bincount(of["item"], minlength=n) > 0
    return View(item[order].astype(np.int32), token[order], present)


def _drawn(view: View, seed: int, n: int) -> View:
    """One token of each item of a view, drawn by seed and item alone."""
    order = np.lexsort((view.token, view.item))
    item, token = view.item[order], view.token[order]
    counts = np.bincount(item, minlength=n)
    some = np.flatnonzero(counts)
    opens = (np.cumsum(counts) - counts)[some]
    key = mix(some.astype(np.uint64) + (np.uint64(seed) << np.uint64(32)))
    chosen = token[opens + (key % counts[some].astype(np.uint64)).astype(np.int64)]
    order = np.argsort(chosen, kind="stable")
    return View(some[order].astype(np.int32), chosen[order], counts > 0)


def _numbers(of: Mapping[str, np.ndarray], n: int, start: str, stop: str) -> dict[str, np.ndarray]:
    """Numbers of each item, over all lines of its text: in those before an edit it is an empty
    span at the end, in those after it one at the beginning."""
    values = {
        "n_tokens": of[stop] - of[start],
        "position": of[start] - of["start"],
        "length": of["stop"] - of["start"],
    }
    absent = np.bincount(of["item"], minlength=n) == 0
    numbers = {}
    for name, value in values.items():
        total = np.bincount(of["item"], value, n).astype(float)
        numbers[name] = np.where(absent, np.nan, total)
    return numbers


def _column(column: pa.ChunkedArray) -> Any:
    number = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
    if number:
        return np.array([np.nan if v is None else float(v) for v in column.to_pylist()])
    return column.to_pylist()


def _truth(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False).astype(bool)
