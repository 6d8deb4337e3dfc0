"""The strongest occurrences of features (rows) by the word types that stand in them: how many are
of a concept, how spread their categories are, and which words are the commonest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.meaning import kinds
from saegrid.meaning.enrichment import packed
from saegrid.meaning.families import Families, is_of
from saegrid.meaning.occurrences import SHOWN, Fired, Occurrences
from saegrid.meaning.vocabulary import Vocabulary

LISTED = 6
"""Words that are listed of a feature."""
COVERED = 0.8
"""Share of the rows that `n_categories` cover."""


class Rows(NamedTuple):
    """The strongest occurrences of features."""

    shown: Fired
    row: np.ndarray
    """(entry,) the feature's place among those judged."""
    n: int
    """Number of features."""
    counts: sparse.csr_matrix
    """(feature, type) int64 rows of each type."""

    @property
    def n_shown(self) -> np.ndarray:
        """(feature,) number of rows."""
        return np.bincount(self.row, minlength=self.n)

    def on(self, member: np.ndarray, counts: sparse.csr_matrix | None = None) -> np.ndarray:
        """(feature, concept) rows whose word is of each concept. counts: of some of the rows."""
        return _bytes((self.counts if counts is None else counts) @ packed(member), member.shape[1])

    def families_on(self, member: np.ndarray, family: Families) -> tuple[np.ndarray, np.ndarray]:
        """(feature, concept) families of words that are of each concept, and the rows of words
        that are of it while the family of their piece is not."""
        owner = np.repeat(np.arange(self.n), np.diff(self.counts.indptr))
        key = owner * (family.number.max(initial=0) + 1) + family.number
        _, place, size = np.unique(key, return_inverse=True, return_counts=True)
        of_type = sparse.csr_matrix(
            (np.ones_like(self.counts.data), self.counts.indices, self.counts.indptr),
            shape=self.counts.shape,
        )
        total = of_type @ packed(member)
        # A word that is alone in its family is the family: the others alone are looked at.
        entry = np.flatnonzero(size[place] > 1)
        entry = entry[np.argsort(place[entry], kind="stable")]
        if not len(entry):
            return _bytes(total, member.shape[1]), np.zeros((self.n, member.shape[1]), np.int64)
        first = np.flatnonzero(np.diff(place[entry], prepend=-1))
        one = member[self.counts.indices[entry]].view(np.uint8)
        # At most 20 words and rows: their numbers fit a byte.
        inside = np.add.reduceat(one, first, axis=0, dtype=np.uint8)
        one = one * self.counts.data[entry, None].astype(np.uint8)
        rows = np.add.reduceat(one, first, axis=0, dtype=np.uint8)
        of_piece = family.of_piece[entry[first], None].astype(np.uint8)
        on = is_of(inside, size[place[entry[first]], None].astype(np.uint8), of_piece)
        of_owner = sparse.csr_matrix(
            (np.ones(len(first), np.int64), (owner[entry[first]], np.arange(len(first)))),
            shape=(self.n, len(first)),
        )
        total -= of_owner @ packed(inside - on)
        lost = of_owner @ packed(rows * (of_piece & ~on))
        return _bytes(total, member.shape[1]), _bytes(lost, member.shape[1])

    def without_commonest(self, family: Families) -> sparse.csr_matrix:
        """The counts without the family that most rows of each feature have; of equal ones the
        one with the smaller number."""
        owner, width = np.repeat(np.arange(self.n), np.diff(self.counts.indptr)), 1
        width += family.number.max(initial=0)
        key, place = np.unique(owner * width + family.number, return_inverse=True)
        size = np.bincount(place, self.counts.data, len(key))
        holder = key // width
        order = np.lexsort((key, -size, holder))
        most = np.zeros(len(key), bool)
        most[order[np.flatnonzero(np.diff(holder[order], prepend=-1))]] = True
        kept = self.counts.copy()
        kept.data = np.where(most[place], 0, kept.data)
        return kept


def _bytes(sums: np.ndarray, n: int) -> np.ndarray:
    return np.ascontiguousarray(sums).view(np.uint8)[:, :n].astype(np.int64)


def strongest_rows(fires: Fired, feature: np.ndarray, words: Vocabulary) -> Rows:
    """The `SHOWN` strongest occurrences of features. feature: (feature,) ascending ids."""
    shown = fires.first(SHOWN)
    row = np.searchsorted(feature, shown.feature)
    ones = np.ones(len(row), np.int64)
    shape = (len(feature), words.n)
    counts = sparse.csr_matrix((ones, (row, words.type[shown.occurrence])), shape=shape)
    return Rows(shown, row, len(feature), counts)


def sizes(fires: Fired, feature: np.ndarray, words: Vocabulary) -> dict[str, np.ndarray]:
    """Occurrences and word types of each feature."""
    row = np.searchsorted(feature, fires.feature)
    pairs = kinds.distinct(row * words.n + words.type[fires.occurrence])
    return {
        "n_rows": np.bincount(row, minlength=len(feature)),
        "n_types": np.bincount(pairs // max(words.n, 1), minlength=len(feature)),
    }


def spread(
    fires: Fired, rows: Rows, feature: np.ndarray, words: Vocabulary
) -> dict[str, np.ndarray]:
    """Entropies of categories, of the shown rows and of all, and how many cover most of them."""
    width = int(words.category.max(initial=-1)) + 2  # the last one is that of words without any
    category = words.category % width

    def table(row: np.ndarray, occurrence: np.ndarray) -> np.ndarray:
        key = row * width + category[words.type[occurrence]]
        return np.bincount(key, minlength=rows.n * width).reshape(rows.n, width)

    shown = table(rows.row, rows.shown.occurrence)
    every = table(np.searchsorted(feature, fires.feature), fires.occurrence)
    covered = np.cumsum(-np.sort(-shown, axis=1), axis=1)
    need = COVERED * rows.n_shown[:, None] - 1e-9
    return {
        "entropy_shown": entropy(shown),
        "entropy_rows": entropy(every),
        "n_categories": (covered < need).sum(axis=1) + 1,
    }


def entropy(counts: np.ndarray) -> np.ndarray:
    """(row,) entropy in bits of counts (row, category)."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return 0.0 - (share * np.log2(np.where(share > 0, share, 1))).sum(axis=1)


def listed_words(
    rows: Rows, of: Occurrences, words: Vocabulary, chosen: np.ndarray
) -> dict[str, list[str]]:
    """The commonest words of the shown rows, and of those off the concept."""
    used, place = np.unique(rows.shown.occurrence, return_inverse=True)
    folded = [of.word[at].casefold() for at in used]
    names = sorted(set(folded) - {""})
    number = {name: code for code, name in enumerate(names)} | {"": -1}
    code = np.array([number[word] for word in folded], np.int64)[place]
    is_on = words.member[words.type[rows.shown.occurrence], chosen[rows.row]]
    said = code >= 0
    return {
        "words": commonest_words(rows.row[said], code[said], rows.n, names),
        "off_words": commonest_words(rows.row[said & ~is_on], code[said & ~is_on], rows.n, names),
    }


def commonest_words(row: np.ndarray, code: np.ndarray, n: int, names: Sequence[str]) -> list[str]:
    """The commonest words of each of n rows, each with its number where that is not one.

    row, code: (entry,); names: words by code, in order of the alphabet, by which ties go.
    """
    width = max(len(names), 1)
    key, count = kinds.runs(np.sort(row * width + code))
    owner = key // width
    # One key for all that decides the order: the row, how often, and the word.
    most = int(count.max(initial=0))
    order = np.argsort((owner * (most + 1) + most - count) * width + key - owner * width)
    owner, word, count = owner[order], (key - owner * width)[order], count[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    place = np.arange(len(owner)) - np.repeat(first, np.diff(np.append(first, len(owner))))
    some = place < LISTED
    lists: list[list[str]] = [[] for _ in range(n)]
    each = (column[some].tolist() for column in (owner, word, count))
    for at, one, times in zip(*each, strict=True):
        lists[at].append(names[one] if times == 1 else f"{names[one]} {times}")
    return [", ".join(words) for words in lists]
