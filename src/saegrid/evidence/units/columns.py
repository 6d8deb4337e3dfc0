"""Columns of numbers of texts, dense or sparse: what tests of units need to know of them."""

import numpy as np
from scipy import sparse

from saegrid.evidence.classical import Moments
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes.selection import Matrix

ROUNDING = 1e-12
"""A deviation below this share of the mean is that of rounding."""


def moments(matrix: Matrix, chosen: np.ndarray) -> Moments:
    """Means and variances (ddof 1, in two passes) over some texts. chosen: (text,) bool."""
    n = int(chosen.sum())
    if sparse.issparse(matrix):
        part = matrix.tocsr()[chosen].tocsc().astype(np.float64)
        held = np.diff(part.indptr)
        owner = np.repeat(np.arange(part.shape[1]), held)
        mean = np.bincount(owner, part.data, part.shape[1]) / n
        squares = np.bincount(owner, (part.data - mean[owner]) ** 2, part.shape[1])
        squares = squares + (n - held) * mean**2
    else:
        part = np.asarray(matrix[chosen], np.float64)
        mean = part.mean(axis=0)
        squares = ((part - mean) ** 2).sum(axis=0)
    variance = squares / max(n - 1, 1)
    return Moments(n, mean, np.where(variance > (ROUNDING * mean) ** 2, variance, 0.0))


def varies(matrix: Matrix) -> np.ndarray:
    """(unit,) bool: False of units that have one value on all texts, dead ones among them."""
    if sparse.issparse(matrix):
        high, low = (np.asarray(one.todense()).ravel() for one in (matrix.max(0), matrix.min(0)))
        return high > low
    return np.ptp(matrix, axis=0) > 0


def density(matrix: Matrix) -> np.ndarray:
    """(unit,) share of texts with another value than 0."""
    if sparse.issparse(matrix):
        return np.asarray((matrix != 0).sum(axis=0)).ravel() / matrix.shape[0]
    return np.count_nonzero(matrix, axis=0) / matrix.shape[0]


def lifted(matrix: Matrix) -> sparse.csc_matrix:
    """Columns without numbers below 0, as ranks of sparse columns want them: dense ones
    less their least value, which changes no rank."""
    if sparse.issparse(matrix):
        if matrix.nnz and matrix.data.min() < 0:
            raise ValueError("sparse columns are codes, and codes are not negative")
        return matrix.tocsc()
    exact = np.asarray(matrix, np.float64)
    return sparse.csc_matrix(exact - exact.min(axis=0))


def by_unit(matrix: Matrix) -> sparse.csr_matrix:
    """(unit, text) float32 columns as `maxima` takes them; dense ones in standard units first, so
    that a large mean costs no digits."""
    if sparse.issparse(matrix):
        return matrix.tocsc().astype(np.float32).T.tocsr()
    exact = np.asarray(matrix, np.float64)
    exact = exact - exact.mean(axis=0)
    sd = exact.std(axis=0)
    exact /= np.where(sd > 0, sd, 1)
    return sparse.csr_matrix(np.ascontiguousarray(exact.T, np.float32))


def check(y: np.ndarray, type: np.ndarray) -> None:
    """Unusable where a class has fewer than two word types."""
    for value, name in ((1, "the second class"), (0, "the first class")):
        words = len(np.unique(type[y == value]))
        if words < 2:
            raise Unusable(
                f"analyses.readout.classes: {name} has {words} word{'' if words == 1 else 's'}, of "
                "which no deviation is known; at least 2 are needed. Name a class with more words."
            )
