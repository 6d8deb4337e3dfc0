"""Coherence: words that are nearer to one another than chance in a space that is not the SAE's own.

It marks a feature as one of meaning where no lexicon has its concept. Of the first `TYPES` word
types of a feature that the space has, s is the mean cosine of all pairs. Chance deals the vectors
to the types anew. Means of few types are skewed, so that s is compared by the tail of the Pearson
III law with mean, deviation and skewness of dealt means of as many types; family-wise p counts the
smallest tail over all features of each deal, so that it holds whatever law is fitted. Words of one
spelling may be near one another in a space of texts: form is judged first (`kinds`). How many of
the rows have near words is counted by `near`.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import gammaincc, log_ndtr, ndtri

from saegrid.meaning.enrichment import Ranked

TYPES = 20
"""Word types of a feature that are compared."""
LEAST = 5
"""Types that the space must have: fewer have no z."""


class Coherence(NamedTuple):
    """Coherence of features."""

    mean: np.ndarray
    """(row,) float64 mean cosine of the pairs; NaN of features with too few types."""
    z: np.ndarray
    """(row,) float64: the normal quantile of the tail, which grows with coherence; NaN likewise."""
    p: np.ndarray
    """(row,) family-wise p over the features; 1 where z is NaN."""


def coherence(of: Ranked, vectors: np.ndarray, permutations: int, seed: int) -> Coherence:
    """The coherence of features.

    vectors: (type, dimension) float32 of length one; 0 of types that the space lacks, which do not
    count.
    """
    known = np.flatnonzero(np.einsum("ij,ij->i", vectors, vectors) > 0)
    matrix = _first(of, known, len(vectors))
    n = np.diff(matrix.indptr)
    usable = n >= LEAST
    blank = np.full(len(n), np.nan)
    if not usable.any() or not permutations:
        return Coherence(blank, blank, np.ones(len(n)))
    chosen, n = matrix[usable], n[usable]
    own = vectors[known]
    observed = _means(chosen, own, n)
    rng = np.random.default_rng([seed, len(known)])
    dealt = np.stack(
        [_means(chosen, own[rng.permutation(len(known))], n) for _ in range(permutations)]
    )
    tail = _tails(observed[None, :], dealt, n)[0]
    smallest = _tails(dealt, dealt, n).min(axis=1)
    reached = (smallest[None, :] <= tail[:, None] + 1e-9).sum(axis=1)
    out = Coherence(blank.copy(), blank.copy(), np.ones(len(blank)))
    out.mean[usable], out.z[usable] = observed, _quantile(tail)
    out.p[usable] = (reached + 1) / (permutations + 1)
    return out


def _first(of: Ranked, known: np.ndarray, n_types: int) -> sparse.csr_matrix:
    """(row, known type) float32: the first `TYPES` types of each feature among those known."""
    place = np.full(n_types, -1)
    place[known] = np.arange(len(known))
    row = np.repeat(np.arange(len(of.feature)), of.sizes)
    column = place[of.type]
    row, column = row[column >= 0], column[column >= 0]
    counts = np.bincount(row, minlength=len(of.feature))
    rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = row[rank < TYPES], column[rank < TYPES]
    shape = (len(of.feature), len(known))
    return sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=shape)


def _means(matrix: sparse.csr_matrix, vectors: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(row,) float64 mean cosine of the pairs of each row: (|sum|^2 - n) / (n (n - 1))."""
    total = matrix @ vectors
    square = np.einsum("ij,ij->i", total, total, dtype=np.float64)
    return (square - n) / (n * (n - 1.0))


def _tails(means: np.ndarray, dealt: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(draw, row) float64 log10 of the tail of means (draw, row) under the law of dealt means
    (permutation, row) of as many types."""
    tail = np.zeros(means.shape)
    for size in np.unique(n):
        same = n == size
        values = dealt[:, same]
        deviation = values.std()
        if deviation > 0:
            skewness = float((((values - values.mean()) / deviation) ** 3).mean())
            scaled = (means[:, same] - values.mean()) / deviation
            tail[:, same] = pearson3(scaled, max(skewness, 0.0))
    return np.maximum(tail, LEAST_TAIL)


def pearson3(z: np.ndarray, skewness: float) -> np.ndarray:
    """log10 P(X >= z) of the Pearson III law with mean 0, deviation 1 and this skewness, not below
    0: a gamma law of shape 4 / skewness^2, moved; without skewness the normal law."""
    if skewness < SYMMETRIC:
        return log_ndtr(-z) / np.log(10)
    shape = 4 / skewness**2
    with np.errstate(divide="ignore"):
        return np.log10(gammaincc(shape, np.maximum(shape + 2 * z / skewness, 0)))


SYMMETRIC = 1e-4
"""Skewness below which a law counts as normal: its gamma law has a shape too large to be told."""


LEAST_TAIL = -300.0
"""log10 below which tails are not told apart."""
MOST_TAIL = float(np.nextafter(1.0, 0.0))
"""Largest tail below one: a law with a lower end has tails of one, which have no quantile."""


def _quantile(tail: np.ndarray) -> np.ndarray:
    """The normal quantile of a tail, of its log10."""
    return -ndtri(np.minimum(10.0**tail, MOST_TAIL))
