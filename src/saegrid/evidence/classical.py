"""Tests of single features by name, on counts and on the nonzeros of sparse columns.

They take texts for independent, which edits of one headline are not: what is claimed rests on
permutations (`maxima`), these stand beside.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import bdtr, gammaln, ndtr, stdtr  # scipy.stats takes a second to load


def fisher_mid_p(fire_a: np.ndarray, n_a: int, fire_b: np.ndarray, n_b: int) -> np.ndarray:
    """(feature,) two-sided mid-p of Fisher's exact test: twice the smaller tail of the
    hypergeometric distribution, half of the observed count's probability left out; at most 1."""
    # Features that fire equally often share a law: they are gone through side by side.
    both = fire_a + fire_b
    order = np.argsort(both, kind="stable")
    total, first = np.unique(both[order], return_index=True)
    p = np.empty(len(fire_a))
    stop = [*first[1:], len(order)]
    for fires, start, end in zip(total, first, stop if len(total) else [], strict=True):
        own = order[start:end]
        least = max(0, fires - n_b)
        k = np.arange(least, min(fires, n_a) + 1)
        log = _choose(n_a, k) + _choose(n_b, fires - k) - _choose(n_a + n_b, fires)
        weight, at = np.exp(log), fire_a[own] - least
        # Each tail is summed from its far end: the smallest terms first.
        below, above = np.cumsum(weight), np.cumsum(weight[::-1])[::-1]
        p[own] = 2 * (np.minimum(below[at], above[at]) - weight[at] / 2)
    return np.minimum(1.0, p)


def _choose(n: np.ndarray | int, k: np.ndarray) -> np.ndarray:
    """log of n over k."""
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def average_ranks(score: np.ndarray) -> np.ndarray:
    """(text,) ranks from 1; equal scores share their mean rank."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def mcnemar_mid_p(only_a: np.ndarray, only_b: np.ndarray) -> np.ndarray:
    """(feature,) two-sided mid-p of McNemar's exact test on discordant pairs."""
    n, least = only_a + only_b, np.minimum(only_a, only_b)
    at = np.exp(_choose(n, least) - n * np.log(2))
    return np.where(n == 0, 1.0, np.minimum(1.0, 2 * bdtr(least, n, 0.5) - at))


class Ranks(NamedTuple):
    """Ranks of sparse columns. Activations are positive, so zeros have the lowest rank."""

    scores: sparse.csc_matrix
    """(text, feature) rank less the zeros' mean rank, so that zeros stay zero."""
    zeros: np.ndarray
    """(feature,) number of zeros."""
    ties: np.ndarray
    """(feature,) sum over groups of equal values of c**3 - c, the zeros among them."""


def ranks(matrix: sparse.csc_matrix) -> Ranks:
    """The ranks of each column, ties averaged."""
    n, counts = matrix.shape[0], np.diff(matrix.indptr)
    zeros = n - counts
    own = np.repeat(np.arange(matrix.shape[1]), counts)
    order = np.lexsort((matrix.data, own))
    value, owner = matrix.data[order], own[order]
    new = np.ones(len(value), bool)
    new[1:] = (value[1:] != value[:-1]) | (owner[1:] != owner[:-1])
    opens = np.flatnonzero(new)
    ends = np.append(opens[1:], len(value))
    middle = ((opens + ends - 1) / 2 + 1)[np.cumsum(new) - 1]
    scores = np.empty(len(value))
    scores[order] = zeros[owner] + middle - matrix.indptr[owner] - (zeros[owner] + 1) / 2
    sizes = (ends - opens).astype(np.float64)
    ties = zeros.astype(np.float64) ** 3 - zeros
    ties += np.bincount(owner[opens], sizes**3 - sizes, matrix.shape[1])
    held = sparse.csc_matrix((scores, matrix.indices, matrix.indptr), shape=matrix.shape)
    return Ranks(held, zeros, ties)


class Ranked(NamedTuple):
    """Mann-Whitney's test of each feature."""

    u: np.ndarray
    auroc: np.ndarray
    """U / (n_a n_b): the chance that a text of a has the larger activation, ties counted half."""
    p: np.ndarray
    """Two-sided, normal with tie correction and continuity correction; 1 of constant columns."""


def mann_whitney(ranked: Ranks, in_a: np.ndarray) -> Ranked:
    """Mann-Whitney's U of texts in a against the others. in_a: (text,) bool."""
    n, n_a = len(in_a), int(in_a.sum())
    n_b = n - n_a
    of_zero = (ranked.zeros + 1) / 2
    rank_sum = ranked.scores.T @ in_a.astype(np.float64) + n_a * of_zero
    u = rank_sum - n_a * (n_a + 1) / 2
    middle = n_a * n_b / 2
    variance = n_a * n_b / 12 * ((n + 1) - ranked.ties / (n * (n - 1)))
    deviation = np.sqrt(np.maximum(variance, 0))
    constant = deviation <= 0
    z = (np.abs(u - middle) - 0.5) / np.where(constant, 1, deviation)
    p = np.where(constant, 1.0, np.minimum(1.0, 2 * ndtr(-z)))
    return Ranked(u, u / (n_a * n_b), p)


def signed_rank(difference: sparse.csc_matrix) -> np.ndarray:
    """(feature,) two-sided p of Wilcoxon's signed-rank test of differences (pair, feature), normal
    with tie correction; differences of 0 are left out, and 1 stands where none is left."""
    held = difference.copy()
    held.eliminate_zeros()
    own = np.repeat(np.arange(held.shape[1]), np.diff(held.indptr))
    of_size = sparse.csc_matrix((np.abs(held.data), held.indices, held.indptr), shape=held.shape)
    ranked = ranks(of_size)
    zeros = ranked.zeros.astype(np.float64)
    n = held.shape[0] - zeros
    # From ranks among all pairs to ranks among those that differ.
    rank = ranked.scores.data - (zeros[own] - 1) / 2
    positive = np.bincount(own, rank * (held.data > 0), held.shape[1])
    ties = ranked.ties - (zeros**3 - zeros)
    deviation = np.sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48)
    constant = deviation <= 0
    z = (positive - n * (n + 1) / 4) / np.where(constant, 1, deviation)
    return np.where(constant, 1.0, np.minimum(1.0, 2 * ndtr(-np.abs(z))))


def spearman(ranked: Ranks, score: np.ndarray) -> np.ndarray:
    """(feature,) Spearman's rho with a score of each text, ties averaged; 0 of constant columns."""
    n = len(score)
    y = average_ranks(score) - (n + 1) / 2
    covariance = ranked.scores.T @ y
    variance = (n**3 - n - ranked.ties) / 12
    total = np.sqrt(np.maximum(variance, 0) * (y @ y))
    return np.where(total > 0, covariance / np.where(total > 0, total, 1), 0.0)


class Welch(NamedTuple):
    """Welch's t test of each feature."""

    t: np.ndarray
    df: np.ndarray
    p: np.ndarray


class Moments(NamedTuple):
    """Means and variances of features over the texts of a class."""

    n: int
    """Texts of the class, at least two."""
    mean: np.ndarray
    variance: np.ndarray
    """(feature,) sample variances, ddof 1."""


def welch(matrix: sparse.csc_matrix, in_a: np.ndarray) -> Welch:
    """Welch's t test from sums over nonzeros. It is shown beside, never used: on sparse columns of
    unequal groups it is far from its level."""
    parts, exact = [], matrix.astype(np.float64)
    for chosen in (in_a, ~in_a):
        n, weight = int(chosen.sum()), chosen.astype(np.float64)
        mean = exact.T @ weight / n
        square = exact.multiply(exact).T @ weight
        parts.append(Moments(n, mean, np.maximum(square - n * mean**2, 0) / (n - 1)))
    return welch_of(*parts)


def welch_of(a: Moments, b: Moments) -> Welch:
    """Welch's t test of two classes:

        t = (mean_a - mean_b) / sqrt(var_a / n_a + var_b / n_b),

    degrees of freedom by Welch and Satterthwaite, two-sided p as twice the upper tail. Where
    neither class varies, p is 1 for equal means, and 0 for others, at infinite t.
    """
    var_a, var_b, apart = a.variance / a.n, b.variance / b.n, a.mean - b.mean
    total = var_a + var_b
    flat = total <= 0
    safe = np.where(flat, 1, total)
    t = np.where(flat, 0, apart / np.sqrt(safe))
    differ = np.abs(apart) > 1e-12 * (np.abs(a.mean) + np.abs(b.mean))
    t = np.where(flat & differ, np.copysign(np.inf, apart), t)
    below = var_a**2 / (a.n - 1) + var_b**2 / (b.n - 1)
    df = np.where(flat, a.n + b.n - 2, safe**2 / np.where(below > 0, below, 1))
    return Welch(t, df, np.where(t == 0, 1.0, 2 * stdtr(df, -np.abs(t))))
