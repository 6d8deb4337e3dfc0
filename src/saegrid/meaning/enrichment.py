"""Enrichment of concepts among the word types on which a feature fires most strongly.

Of N word types of a corpus K belong to a concept. Of the first n types of a feature, by the largest
activation on any occurrence of each, k do: p = P(X >= k), X hypergeometric (N, K, n). The statistic
of a feature and a concept is the smallest p over the prefixes n of `PREFIXES`; types and not
occurrences count, so that one word that stands in a corpus many times is no evidence. How small it
gets by chance, over all concepts and features, say lexicons whose memberships are dealt to the
types anew (`null`): what concepts share and how large they are stays as it is.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import gammaln

PREFIXES = (3, 5, 8, 12, 20, 30, 50)
"""Numbers of word types, those with the largest activations first, that are looked at."""
MOST = PREFIXES[-1]
BLOCK = 2048
"""Features whose counts are held at once."""
EVEN = 1e-9
"""log10 of p by which values count as equal: rounding, not evidence."""


class Ranked(NamedTuple):
    """The word types of features, the strongest first, at most `MOST` of each."""

    feature: np.ndarray
    """(row,) feature ids, ascending."""
    indptr: np.ndarray
    """(row + 1,) where the types of each feature begin in `type`."""
    type: np.ndarray
    """(entry,) numbers of word types."""

    @property
    def sizes(self) -> np.ndarray:
        """(row,) number of types of each feature."""
        return np.diff(self.indptr)


def ranked(feature: np.ndarray, type_: np.ndarray, value: np.ndarray) -> Ranked:
    """The word types of features from their occurrences, in any order.

    feature, type_, value: (occurrence,) of each feature and occurrence on which it fires. Of equal
    activations the smaller type number comes first.
    """
    order = _order(feature, type_, value)
    feature, type_ = feature[order], type_[order]
    width = int(type_.max(initial=0)) + 1
    # Of each type the first, which is the strongest, in the order of activation.
    key = feature.astype(np.int64) * width + type_
    by_type = np.argsort(key, kind="stable")
    first = np.zeros(len(key), bool)
    first[by_type[np.diff(key[by_type], prepend=-1) != 0]] = True
    feature, type_ = feature[first], type_[first]
    opens = np.flatnonzero(np.diff(feature, prepend=-1))
    known, counts = feature[opens], np.diff(np.append(opens, len(feature)))
    place = np.arange(len(feature)) - np.repeat(opens, counts)
    kept = place < MOST
    indptr = np.concatenate([[0], np.cumsum(np.minimum(counts, MOST))]).astype(np.int64)
    return Ranked(known, indptr, type_[kept])


def _order(feature: np.ndarray, type_: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The order by feature, then the strongest first, then by type number."""
    step = np.diff(feature)
    falls = (step > 0) | ((step == 0) & (value[1:] <= value[:-1]))
    if not falls.all():
        return np.lexsort((type_, -value, feature))
    # They stand in this order but for equal ones.
    new = np.append(True, (step > 0) | (value[1:] != value[:-1]))[: len(feature)]
    width = int(type_.max(initial=0)) + 1
    return np.argsort(np.cumsum(new) * width + type_)  # those of one key are alike


class Tails(NamedTuple):
    """log10 P(X >= k) of hypergeometric X, for prefixes n and concepts by their size."""

    n_types: int
    table: np.ndarray
    """(n, size, k) float64, n and k from 0 to `MOST`."""
    first: np.ndarray
    """(n, concept) int32 place in the flat table of the p of k = 0."""

    def of(self, n: np.ndarray, k: np.ndarray) -> np.ndarray:
        """(row, concept) log10 p of rows that look at n types, k of which are of each concept.

        n: (row,), k: (row, concept).
        """
        place = self.first[n]
        place += k
        return self.table.ravel().take(place, mode="clip")  # as no place is beyond, none is checked


def tails(n_types: int, sizes: np.ndarray) -> Tails:
    """The tails for concepts of some sizes among so many types."""
    known, place = np.unique(sizes, return_inverse=True)
    n, size, k = np.meshgrid(np.arange(MOST + 1), known, np.arange(MOST + 1), indexing="ij")
    # More types than there are cannot be looked at: no way to choose them, and p is 1.
    able = n <= n_types
    every = np.where(able, _choose(n_types, n), 0.0)
    log = _choose(size, k) + _choose(n_types - size, n - k) - every
    # Sums from the far end: the smallest terms first.
    above = np.logaddexp.accumulate(log[..., ::-1], axis=2)[..., ::-1]
    table = np.where(able, np.minimum(above / np.log(10), 0.0), 0.0)
    first = (np.arange(MOST + 1)[:, None] * len(known) + place) * (MOST + 1)
    return Tails(n_types, table, first.astype(np.int32))


def _choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    """log of n over k; -inf where there is no way to choose."""
    n, k = np.broadcast_arrays(np.asarray(n, float), np.asarray(k, float))
    out = np.full(n.shape, -np.inf)
    some = (k >= 0) & (k <= n)
    out[some] = gammaln(n[some] + 1) - gammaln(k[some] + 1) - gammaln(n[some] - k[some] + 1)
    return out


class Enriched(NamedTuple):
    """The best prefix of each feature and concept."""

    log10_p: np.ndarray
    """(row, concept) float64, 0 where no type of the prefixes belongs to the concept."""
    n: np.ndarray
    """(row, concept) uint8: the prefix."""
    k: np.ndarray
    """(row, concept) uint8: types of the concept in it."""


def enrichment(of: Ranked, member: np.ndarray, law: Tails) -> Enriched:
    """The smallest p of each feature and concept over the prefixes; of equal p the shorter prefix.

    member: (type, concept) bool. A feature with fewer types than a prefix is looked at whole.
    """
    shape = (len(of.feature), member.shape[1])
    best = Enriched(np.zeros(shape), np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))
    words = packed(member)[: _width(of)]
    for rows, steps in _blocks(of):
        total = np.zeros((len(rows), words.shape[1]), np.int64)
        own = Enriched(*(np.zeros_like(column[: len(rows)]) for column in best))
        for step in steps:
            total += step.added @ words
            k = total[step.first :].view(np.uint8)[:, : member.shape[1]]
            log10_p = law.of(step.each, k)
            better = log10_p < own.log10_p[step.first :] - EVEN
            for column, new in zip(own, (log10_p, step.each[:, None], k), strict=True):
                np.copyto(column[step.first :], new, where=better, casting="unsafe")
        for column, new in zip(best, own, strict=True):
            column[rows] = new
    return best


def _width(of: Ranked) -> int:
    """Number of word types up to the largest that a feature has."""
    return int(of.type.max(initial=-1)) + 1


class _Step(NamedTuple):
    """The types that a prefix adds to the features of a block, which are in the order of their
    number of types."""

    added: sparse.csr_matrix
    """(row, type) int64 ones of the types that are looked at here and were not before."""
    first: int
    """The first row that looks at something new."""
    n: np.ndarray
    """(group,) numbers of types that are looked at, ascending."""
    starts: np.ndarray
    """(group,) where the rows of each begin, counted from `first`."""
    each: np.ndarray
    """(row from first,) the number of types of each."""


def _blocks(of: Ranked) -> Iterator[tuple[np.ndarray, list[_Step]]]:
    """Rows by number of types, and what each prefix adds."""
    order = np.argsort(of.sizes, kind="stable")
    width = _width(of)
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK]
        sizes, steps, before = of.sizes[rows], [], 0
        for stop in PREFIXES:
            counts = np.clip(sizes, before, stop) - before
            if not counts.any():
                break
            indptr = np.concatenate([[0], np.cumsum(counts)])
            within = np.arange(indptr[-1]) - np.repeat(indptr[:-1], counts)
            entry = np.repeat(of.indptr[rows] + before, counts) + within
            ones = np.ones(len(entry), np.int64)
            added = sparse.csr_matrix((ones, of.type[entry], indptr), shape=(len(rows), width))
            first = int(np.searchsorted(sizes, before, "right"))
            each = np.minimum(sizes[first:], stop)
            steps.append(_Step(added, first, *np.unique(each, return_index=True), each))
            before = stop
        yield rows, steps


def packed(member: np.ndarray) -> np.ndarray:
    """(type, words) int64: the memberships (type, concept) as bytes, eight to a number. Sums of up
    to 255 of these hold the count of each concept in its byte, and take an eighth of the work."""
    n, concepts = member.shape
    wide = np.zeros((n, -(-concepts // 8) * 8), np.uint8)
    wide[:, :concepts] = member
    return wide.view(np.int64)


def null(of: Ranked, member: np.ndarray, law: Tails, dealt: np.ndarray) -> np.ndarray:
    """(permutation,) float64 the smallest log10 p over all features, concepts and prefixes where
    memberships are dealt to the types anew.

    dealt: (permutation, type) for each type the one whose concepts it gets; of one study the same
    in every cell, so that minima over cells are those of the whole grid.

    p falls with k: of all features that look at n types the one with the most types of a concept
    has the smallest p of it, so that largest counts are all that is kept of a permutation.
    """
    words, width, blocks = packed(member), _width(of), list(_blocks(of))
    most = np.zeros((len(dealt), MOST + 1, words.shape[1] * 8), np.uint8)
    for largest, types in zip(most, dealt, strict=True):
        mixed = words[types[:width]]
        for rows, steps in blocks:
            total = np.zeros((len(rows), words.shape[1]), np.int64)
            for step in steps:
                total += step.added @ mixed
                k = total[step.first :].view(np.uint8)
                stops = [*step.starts[1:], len(k)]
                for n, start, stop in zip(step.n, step.starts, stops, strict=True):
                    np.maximum(largest[n], _largest(k[start:stop]), out=largest[n])
    n = np.arange(MOST + 1)
    return np.array([law.of(n, k[:, : member.shape[1]]).min(initial=0) for k in most])


def smallest(of: Ranked, member: np.ndarray, law: Tails, dealt: np.ndarray) -> np.ndarray:
    """(permutation, row) float64 the smallest log10 p of each feature over concepts and prefixes
    where memberships are dealt to the types anew. dealt: see `null`."""
    words, width, concepts = packed(member), _width(of), member.shape[1]
    # Places of p in their order are half the size of p, and as good for the smallest.
    values, place_of = np.unique(law.table, return_inverse=True)
    table, last = place_of.reshape(-1).astype(np.int32), len(values) - 1
    out = np.zeros((len(dealt), len(of.feature)))
    for rows, steps in _blocks(of):
        base = [law.first[step.each] for step in steps]
        for at, types in enumerate(dealt):
            mixed = words[types[:width]]
            total = np.zeros((len(rows), words.shape[1]), np.int64)
            best = np.full(len(rows), last, np.int32)  # p = 1
            for step, first in zip(steps, base, strict=True):
                total += step.added @ mixed
                place = first + total[step.first :].view(np.uint8)[:, :concepts]
                p = table.take(place, mode="clip").min(axis=1, initial=last)
                np.minimum(best[step.first :], p, out=best[step.first :])
            out[at, rows] = values[best]
    return out


def _largest(k: np.ndarray) -> np.ndarray:
    """(column,) the largest number of each column of (row, column) ones, at least one row.

    Halves are compared, as one row after another takes ten times as long."""
    while len(k) > 1:
        half = len(k) // 2
        odd = k[2 * half :]
        k = np.maximum(k[:half], k[half : 2 * half])
        if len(odd):
            np.maximum(k[0], odd[0], out=k[0])
    return k[0]


def deals(n_types: int, permutations: int, seed: int) -> np.ndarray:
    """(permutation, type) the dealt types of `null`, by seed and number of types alone."""
    rng = np.random.default_rng([seed, n_types])
    dealt = [rng.permutation(n_types) for _ in range(permutations)]
    return np.array(dealt, np.int64).reshape(permutations, n_types)


def adjusted(log10_p: np.ndarray, smallest: np.ndarray) -> np.ndarray:
    """Family-wise p: the share of permutations, the data among them, whose smallest p is as small.

    smallest: (permutation,) of `null`, without the data.
    """
    ordered = np.sort(smallest)
    reached = np.searchsorted(ordered, np.asarray(log10_p) + EVEN, side="right")
    return (reached + 1) / (len(ordered) + 1)
