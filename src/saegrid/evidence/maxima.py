"""Permutation tests of all features at once, by the largest statistic (Westfall and Young's max-T).

A permutation is a column of scores; the statistics of all features under all of them are one
product of the sparse (feature, text) matrix with the dense (text, permutation) one, made for some
features at a time. Column 0 is the data. The largest absolute statistic of each column over the
features of a cell, and over all cells, gives family-wise p that hold for any dependence.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import ndtr

HELD = 1 << 18
"""Statistics that are held at a time: what a core keeps at hand, so that a pass over them costs
little beside the product. It decides about no byte."""
SHUFFLES = 20
"""Permutations whose large statistics are kept, so that what they discover can be counted."""
TAIL = 3.0
"""Statistics of these that are kept: no threshold over a hundred features or more is lower."""
TIE = 1e-5
"""Share by which a statistic may fall short of one that it equals: sums of the same float32 scores
in other order differ by rounding."""
DIGIT, FEW = 1 << 12, 1 << 8
"""Bases in which the counts of two classes are one float32 number, exact below 2**24; those of the
smaller one index a table that a core keeps at hand."""


class Tested(NamedTuple):
    """Statistics of features and their distribution under permutations."""

    statistic: np.ndarray
    """(feature,) float64 of the data."""
    p: np.ndarray
    """(feature,) two-sided p of a single feature, see `single`."""
    maxima: np.ndarray
    """(permutation + 1,) float32: largest absolute statistic of each column."""
    tails: np.ndarray
    """(entry, 3) float64: permutation of the first `SHUFFLES`, feature, statistic of at least
    `TAIL`."""


def adjusted(statistic: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """(feature,) family-wise p: share of columns, the data among them, whose largest statistic is
    at least as large."""
    return reached(np.abs(statistic), maxima)


def reached(statistic: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """(feature,) share of the largest statistics that are at least as large as each statistic."""
    ordered = np.sort(maxima)
    first = np.searchsorted(ordered, lowered(statistic), side="left")
    return (len(ordered) - first) / len(ordered)


def lowered(statistic: np.ndarray) -> np.ndarray:
    """float32: the least of what counts as at least as large as a statistic, see `TIE`."""
    statistic = np.asarray(statistic).astype(np.float32)
    return statistic - np.float32(TIE) * np.abs(statistic)


def threshold(maxima: np.ndarray, alpha: float) -> float:
    """The smallest statistic (float32) whose family-wise p is at most alpha."""
    ordered = np.sort(maxima)[::-1]
    columns = len(ordered)
    allowed = int(np.floor(alpha * columns))
    allowed += (allowed + 1) / columns <= alpha
    if allowed >= columns:
        return 0.0
    # The p of what counts as ordered[k] counts all that are as large.
    least = np.float32(ordered[allowed])
    while lowered(least) > ordered[allowed]:
        least = np.nextafter(least, np.float32(-np.inf))
    while lowered(least) <= ordered[allowed]:
        least = np.nextafter(least, np.float32(np.inf))
    return float(least)


def z_test(
    matrix: sparse.csr_matrix, scores: np.ndarray, basis: np.ndarray | None = None
) -> Tested:
    """The test of sums of scores, each standardised by mean and deviation over all columns.

    matrix: (feature, text) float32. scores: (text, permutation + 1) float32. basis: (text, q)
    float64, orthonormal: scores are those of residuals of which it is projected out again in each
    column (Frisch, Waugh and Lovell; residuals are exchanged as Freedman and Lane do).
    """
    return _gathered(_z(matrix, scores, basis), matrix.shape[0])


def z_columns(
    matrix: sparse.csr_matrix, scores: np.ndarray, basis: np.ndarray | None = None
) -> np.ndarray:
    """(feature, permutation + 1) float32 the statistics of `z_test`, of few features."""
    parts = [part for _, part in _z(matrix, scores, basis)]
    return np.concatenate(parts) if parts else np.empty((0, scores.shape[1]), np.float32)


def deviance_test(matrix: sparse.csr_matrix, in_a: np.ndarray, in_b: np.ndarray) -> Tested:
    """The test of two classes by the signed root of the deviance (G) of firing and class.

    matrix: (feature, text) float32 of ones. in_a, in_b: (text, permutation + 1) float32 of 0 and 1,
    whose columns have the same sums. Its threshold is near the normal one whatever the sizes of the
    classes, where that of a difference of rates is not. Where its root mean square over all columns
    is above one, it is divided by that.
    """
    return _gathered(_deviances(matrix, in_a, in_b), matrix.shape[0])


def deviance_columns(matrix: sparse.csr_matrix, in_a: np.ndarray, in_b: np.ndarray) -> np.ndarray:
    """(feature, permutation + 1) float32 the statistics of `deviance_test`, of few features."""
    parts = [part for _, part in _deviances(matrix, in_a, in_b)]
    return np.concatenate(parts) if parts else np.empty((0, in_a.shape[1]), np.float32)


def single(statistic: np.ndarray, beyond: np.ndarray, columns: int) -> np.ndarray:
    """(feature,) two-sided p of single features: the share of columns, the data among them, with an
    absolute statistic at least as large. Where that is the data alone, the normal tail if it is
    smaller: a share has no value below one of all columns. To take the smaller one wherever few are
    would make twice as many p below .001 as there should be."""
    share = beyond / columns
    tail = 2 * ndtr(-np.abs(statistic))
    return np.where(beyond <= 1, np.minimum(share, tail), share)


def _z(
    matrix: sparse.csr_matrix, scores: np.ndarray, basis: np.ndarray | None
) -> Iterator[tuple[int, np.ndarray]]:
    n = scores.shape[1]
    # What no permutation moves has no deviation but that of rounding.
    least = 1e-6 * float(max(scores.max(initial=0), -scores.min(initial=0)))
    sizes = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64).ravel())
    if basis is not None and basis.shape[1]:
        # As further texts of the sparse product, whose rows do not depend on how many there are;
        # those of a dense one may.
        inner = (matrix.astype(np.float64) @ basis).astype(np.float32)
        matrix = sparse.hstack([matrix, sparse.csr_matrix(inner)], format="csr")
        scores = np.concatenate([scores, -(basis.T @ scores).astype(np.float32)])
    for start, stop in _ranges(matrix.shape[0], n):
        part = matrix[start:stop] @ scores
        part -= part.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
        deviation = np.sqrt(_squares(part) / n)
        moved = deviation > least * sizes[start:stop]
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=moved)
        part *= scale.astype(np.float32)[:, None]
        yield start, part


def _squares(part: np.ndarray) -> np.ndarray:
    """(feature,) float64 sums of squares, of float32 sums over a few columns each."""
    sums = np.zeros(len(part))
    for start in range(0, part.shape[1], 64):
        few = part[:, start : start + 64]
        sums += np.einsum("ij,ij->i", few, few)
    return sums


def _deviances(
    matrix: sparse.csr_matrix, in_a: np.ndarray, in_b: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    sizes = int(in_a[:, 0].sum()), int(in_b[:, 0].sum())
    rooted = _roots(*sizes)
    # Of features that fire on few texts all pairs of counts fit a table: one look, not ten passes.
    count_a, count_b = np.indices([min(FEW - 1, n) + 1 for n in sizes], np.int32)
    known = np.zeros((FEW, FEW), np.float32)
    known[: len(count_a), : count_a.shape[1]] = rooted(count_a, count_b)
    coded = in_a * np.float32(DIGIT)
    coded += in_b
    coded_few = in_a * np.float32(FEW)
    coded_few += in_b
    kinds = np.digitize(np.diff(matrix.indptr), [FEW, DIGIT])
    for start, stop in _ranges(matrix.shape[0], 2 * in_a.shape[1]):
        part = np.empty((stop - start, in_a.shape[1]), np.float32)
        for kind in np.unique(kinds[start:stop]):
            chosen = np.flatnonzero(kinds[start:stop] == kind)
            rows = matrix[start + chosen]
            if kind == 0:
                part[chosen] = known.take((rows @ coded_few).astype(np.intp))
            elif kind == 1:
                b = (rows @ coded).astype(np.int32)
                a = b // DIGIT
                b -= a * DIGIT
                part[chosen] = rooted(a, b)
            else:
                part[chosen] = rooted(*((rows @ one).astype(np.int32) for one in (in_a, in_b)))
        # Texts that move together make a statistic wider than it is where all stand alone.
        deviation = np.sqrt(_squares(part) / part.shape[1])
        if (deviation > 1).any():
            part /= np.maximum(deviation, 1).astype(np.float32)[:, None]
        yield start, part


def _roots(n_a: int, n_b: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Function that gives the float32 signed root of the deviance of int32 counts of two classes of
    these sizes."""
    of_a, of_b, of_both = (_entropy(n) for n in (n_a, n_b, n_a + n_b))
    of_a += _times_log(np.array([n_a + n_b]))[0] - _times_log(np.array([n_a]))[0]
    of_a -= _times_log(np.array([n_b]))[0]
    kind = np.int32 if n_a * n_b < 1 << 31 else np.int64

    def rooted(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        g = of_a.take(a)
        g += of_b.take(b)
        g -= of_both.take(a + b)
        g *= 2
        np.maximum(g, 0, out=g)
        np.sqrt(g, out=g)
        root = g.astype(np.float32)
        # a / n_a < b / n_b, in whole numbers.
        below = a.astype(kind, copy=False) * kind(n_b) < b.astype(kind, copy=False) * kind(n_a)
        return np.negative(root, out=root, where=below)

    return rooted


def _entropy(n: int) -> np.ndarray:
    """(n + 1,) k log k + (n - k) log(n - k) for k from 0 to n."""
    table = _times_log(np.arange(n + 1))
    return table + table[::-1]


def _times_log(k: np.ndarray) -> np.ndarray:
    return k * np.log(np.maximum(k, 1))


def _gathered(parts: Iterator[tuple[int, np.ndarray]], n: int) -> Tested:
    """The statistics of the data, and what is kept of those of permutations."""
    statistic, beyond = np.zeros(n), np.zeros(n, np.int64)
    maxima, tails, columns = None, [], 1
    for start, part in parts:
        stop = start + len(part)
        statistic[start:stop] = part[:, 0]
        shuffled = part[:, 1 : SHUFFLES + 1]
        feature, column = np.nonzero(np.abs(shuffled) >= TAIL)
        kept = shuffled[feature, column]
        tails.append(np.stack([column + 1, feature + start, kept], axis=1).astype(np.float64))
        np.abs(part, out=part)
        beyond[start:stop] = np.count_nonzero(part >= lowered(part[:, :1]), axis=1)
        largest, columns = part.max(axis=0), part.shape[1]
        maxima = largest if maxima is None else np.maximum(maxima, largest)
    if maxima is None:
        return Tested(statistic, np.ones(n), np.zeros(1, np.float32), np.empty((0, 3)))
    return Tested(statistic, single(statistic, beyond, columns), maxima, np.concatenate(tails))


def _ranges(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    step = max(1, HELD // columns)
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
