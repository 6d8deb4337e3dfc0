"""Coherence: words that are nearer to one another than chance in a space that is not the SAE's own.

It marks a feature as one of meaning where no lexicon has its concept. Of the first `TYPES` word
types of a feature that the space has, s is the mean cosine of all pairs; z = (s - mean) / sd over
features with as many types whose vectors are dealt to the types anew. Family-wise p counts the
largest z over all features of each deal. Words of one spelling may be near one another in a space
of texts: form is judged first (`kinds`).
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

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
    mean, deviation = _moments(dealt, n)
    safe = np.where(deviation > 0, deviation, np.inf)
    z = (observed - mean) / safe
    largest = ((dealt - mean) / safe).max(axis=1)
    reached = (largest[None, :] >= z[:, None] - 1e-9).sum(axis=1)
    out = Coherence(blank.copy(), blank.copy(), np.ones(len(blank)))
    out.mean[usable], out.z[usable] = observed, z
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


def _moments(dealt: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row,) mean and deviation of dealt means (permutation, row) over all rows with as many
    types."""
    mean, deviation = np.zeros(len(n)), np.zeros(len(n))
    for size in np.unique(n):
        same = n == size
        values = dealt[:, same]
        mean[same], deviation[same] = values.mean(), values.std()
    return mean, deviation
