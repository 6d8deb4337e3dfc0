"""Intervals of rates and differences."""

import numpy as np
from scipy import sparse
from scipy.special import betaincinv

LEVEL = 0.95


def exact(k: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clopper and Pearson's interval of k of n at 95 %; [0, 1] where n is 0."""
    k, n = np.asarray(k, float), np.asarray(n, float)
    tail = (1 - LEVEL) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, betaincinv(k, n - k + 1, tail), 0.0)
        high = np.where(k < n, betaincinv(k + 1, n - k, 1 - tail), 1.0)
    return low, high


def resampled(cluster: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(text, draw + 1) float32: how often each text is drawn where whole clusters are, with
    replacement; column 0 takes each once."""
    _, number = np.unique(cluster, return_inverse=True)
    n = int(number.max(initial=-1)) + 1
    counts = np.ones((n, draws + 1), np.float32)
    counts[:, 1:] = rng.multinomial(n, np.full(n, 1 / max(n, 1)), draws).T
    return counts[number]


def percentiles(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of (feature, draw + 1) values, column 0 and NaN draws left out; NaN where
    no draw is left."""
    tail = 100 * (1 - LEVEL) / 2
    drawn = np.array(values[:, 1:], float)
    if not len(drawn):  # numpy has one limit of nothing, and not two
        return np.zeros(0), np.zeros(0)
    none = np.isnan(drawn).all(axis=1)
    drawn[none] = 0
    limits = np.nanpercentile(drawn, [tail, 100 - tail], axis=1)
    return tuple(np.where(none, np.nan, limit) for limit in limits)


def ratio(matrix: sparse.csr_matrix, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """(feature, draw) matrix @ above / matrix @ below; NaN where the latter is zero."""
    top, bottom = matrix @ above, matrix @ below
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), np.nan)
