"""Occurrences of words, and the activations of features on them.

Of edited texts an occurrence is the edit of a kept item, whose word is its last one; of plain text
it is a word of a kept item. A feature fires on an occurrence as strongly as on the token of it on
which it fires most, and that token is remembered: it tells a feature of a piece that stands in many
words from one of what the words mean.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED, PLAIN
from saegrid.codes.sparse import Features
from saegrid.features.windows import Corpus, words_at

SHOWN = 20
"""Occurrences, the strongest first, by which a feature is judged."""


class Occurrences(NamedTuple):
    """The occurrences of a corpus, in the order of their tokens."""

    token: np.ndarray
    """(token,) int32 the occurrence that each token of the corpus is a part of, -1 of none."""
    item: np.ndarray
    """(occurrence,) int32."""
    word: Sequence[str]
    """(occurrence,) the word as it stands in the text, without marks at its ends."""
    start: np.ndarray
    """(occurrence,) bool: the first word of its text."""
    stop: np.ndarray
    """(occurrence,) bool: the last word of its text."""

    @property
    def n(self) -> int:
        """Number of occurrences."""
        return len(self.item)


def occurrences(tokens: pa.Table, masked: np.ndarray, edits: Sequence[str] | None) -> Occurrences:
    """The occurrences of a corpus.

    tokens: tokens.parquet. masked: (token,) bool, see `density.Counted`. edits: (item,) the word of
    each edit; None of plain text, whose tokens are grouped by the word that they are a part of.
    """
    index = np.flatnonzero(masked)
    table = Corpus.of(tokens)
    words = words_at(table, index).to_pylist()
    if edits is None:
        new = _new_words(table, index, words)
    else:
        new = np.diff(table.item[index], prepend=-1) != 0
    number = np.cumsum(new) - 1
    token = np.full(len(masked), -1, np.int32)
    token[index] = number
    first = index[new]
    last = index[np.append(np.flatnonzero(new)[1:] - 1, len(index) - 1)] if len(index) else first
    item = table.item[first]
    opens, ends = _edges(tokens, table)
    said = [words[at] for at in np.flatnonzero(new)] if edits is None else [edits[i] for i in item]
    return Occurrences(token, item.astype(np.int32), said, opens[first], ends[last])


def _new_words(table: Corpus, index: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """(token,) bool: a token that begins a word: it follows a blank, another row, or a token that
    is no part of the same word."""
    code = np.unique(np.array(words, object).astype(str), return_inverse=True)[1] if words else []
    new = np.diff(np.asarray(code, np.int64), prepend=-1) != 0
    new |= np.diff(index, prepend=-2) != 1
    new |= np.diff(table.row[index], prepend=-1) != 0
    blank = np.array([text[:1].isspace() for text in table.text.to_pylist()], bool)
    return new | blank[index]


def _edges(tokens: pa.Table, table: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """(token,) bool each: the first and the last token of a text, specials left out."""
    side = tokens["side"].cast(pa.string()).to_numpy(zero_copy_only=False)
    ours = ~table.special & np.isin(side, [EDITED, PLAIN]) & (table.item >= 0)
    at = np.flatnonzero(ours)
    key = table.item[at].astype(np.int64) * (int(table.row.max(initial=0)) + 2) + table.row[at]
    opens, ends = np.zeros(len(ours), bool), np.zeros(len(ours), bool)
    opens[at] = np.diff(key, prepend=-1) != 0
    ends[at] = np.diff(key, append=-1) != 0
    return opens, ends


class Fired(NamedTuple):
    """Activations of features on occurrences, by feature, then the strongest first; of equal ones
    the earlier occurrence."""

    feature: np.ndarray
    """(entry,) feature ids, ascending."""
    occurrence: np.ndarray
    value: np.ndarray
    """(entry,) float32."""
    token: np.ndarray
    """(entry,) int64: the token of the occurrence on which it fires most, the first of equal
    ones."""

    def take(self, chosen: np.ndarray) -> "Fired":
        """Some entries."""
        return Fired(*(column[chosen] for column in self))

    def place(self) -> np.ndarray:
        """(entry,) the rank of each entry within its feature, from 0."""
        opens = np.flatnonzero(np.diff(self.feature, prepend=-1))
        sizes = np.diff(np.append(opens, len(self.feature)))
        return np.arange(len(self.feature)) - np.repeat(opens, sizes)

    def first(self, n: int) -> "Fired":
        """The n strongest of each feature."""
        return self.take(self.place() < n)

    def of_at_least(self, n: int) -> "Fired":
        """The features that fire on at least so many occurrences."""
        return self.take(np.bincount(self.feature)[self.feature] >= n if len(self.feature) else [])


def fired(features: Features, of: Occurrences) -> Fired:
    """The activations of all features of a cell on the occurrences of a corpus."""
    owner, token = features.owners(), features.indices.astype(np.int64)
    at = of.token[token]
    kept = at >= 0
    owner, token, at, value = owner[kept], token[kept], at[kept], features.data[kept]
    # Tokens of an occurrence stand together, and so do their entries within a feature.
    new = (np.diff(owner, prepend=-1) != 0) | (np.diff(at, prepend=-1) != 0)
    opens = np.flatnonzero(new)
    if not len(opens):
        return Fired(owner, at.astype(np.int64), value, token)
    largest = np.maximum.reduceat(value, opens)
    group = np.cumsum(new) - 1
    hits = np.flatnonzero(value == largest[group])
    best = hits[np.diff(group[hits], prepend=-1) != 0]
    feature, at = owner[opens].astype(np.int64), at[opens].astype(np.int64)
    order = np.lexsort((at, -largest, feature))
    return Fired(feature[order], at[order], largest[order], token[best][order])
