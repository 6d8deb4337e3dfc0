"""The interface of weights of columns."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

Columns = np.ndarray | sparse.csr_matrix
"""(row, column) numbers: dense float64 or sparse by row."""


class Weighting(NamedTuple):
    """A weight of each column, and whether rows are then scaled to length one."""

    weights: Callable[[Columns, np.ndarray], np.ndarray]
    """Function of (row, column) numbers and (column,) shares of tokens on which each fires, to
    (column,) float64 factors."""
    unit: bool
    words: str


def weighted(columns: Columns, density: np.ndarray, weighting: Weighting) -> Columns:
    """The numbers times the weights of their columns; rows of length one where that is part of
    it, and rows of zeros stay zeros. Sparse stays sparse."""
    factors = weighting.weights(columns, density)
    if sparse.issparse(columns):
        out = (columns @ sparse.diags(factors)).tocsr()
    else:
        out = columns * factors
    return scaled(out) if weighting.unit else out


def scaled(columns: Columns) -> Columns:
    """Rows of length one; rows of zeros stay zeros."""
    norms = np.sqrt(squares(columns, axis=1))
    factors = 1 / np.where(norms > 0, norms, 1)
    if sparse.issparse(columns):
        return (sparse.diags(factors) @ columns).tocsr()
    return columns * factors[:, None]


def squares(columns: Columns, axis: int) -> np.ndarray:
    """float64 sums of squares of columns (axis 0) or rows (axis 1)."""
    if sparse.issparse(columns):
        return np.asarray(columns.multiply(columns).sum(axis=axis), np.float64).ravel()
    return np.square(columns).sum(axis=axis)


def means(columns: Columns) -> np.ndarray:
    """(column,) float64 means."""
    return np.asarray(columns.mean(axis=0), np.float64).ravel()


def deviations(columns: Columns) -> np.ndarray:
    """(column,) float64 standard deviations over rows, zeros counted."""
    mean = means(columns)
    if sparse.issparse(columns):
        by_column = columns.tocsc()
        owner = np.repeat(np.arange(columns.shape[1]), np.diff(by_column.indptr))
        # Around the mean, since sums of squares less a large mean lose their digits.
        apart = np.square(by_column.data - mean[owner])
        silent = columns.shape[0] - np.diff(by_column.indptr)
        total = np.bincount(owner, apart, columns.shape[1]) + silent * np.square(mean)
        return np.sqrt(total / columns.shape[0])
    return np.sqrt(np.square(columns - mean).mean(axis=0))
