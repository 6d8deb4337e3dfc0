"""The features that tell texts apart, chosen on the texts that a classifier learns from.

Strength of a feature f for what is predicted, y, over the training texts:

    r = |mean(f y) - mean(f) mean(y)| / (sd(f) sd(y))

Of two classes with shares p and 1 - p this orders features as the difference of their means in
units of the pooled standard deviation inside the classes, d = |m1 - m0| / s, does:
r = d / sqrt(d^2 + 1 / (p (1 - p))). (Gurnee and SAEBench take |m1 - m0| itself, which prefers
features with large activations.) Ties go to the smaller index.
"""

import numpy as np
from scipy import sparse

Matrix = np.ndarray | sparse.csc_matrix
"""(row, feature) numbers that describe texts."""
TINY = 1e-12


def strengths(matrix: Matrix, targets: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(feature, target) float64 strengths, 0 where a feature does not vary.

    targets: (row, target) float64 what is predicted; train: (row, target) bool: texts that are
    learned from. Only entries are read, once for all targets.
    """
    weight = train.astype(np.float64)
    n = weight.sum(axis=0)
    mean_y = (weight * targets).sum(axis=0) / n
    centred = weight * (targets - mean_y)
    sd_y = np.sqrt((centred**2).sum(axis=0) / n)
    both = matrix.T @ np.hstack([weight, centred])
    mean, cross = both[:, : len(n)] / n, both[:, len(n) :] / n
    squares = matrix.power(2) if sparse.issparse(matrix) else matrix**2
    power = (squares.T @ weight) / n
    variance = power - mean**2
    varies = variance > TINY * np.maximum(power, 1e-300)
    scale = np.sqrt(np.where(varies, variance, 1)) * np.where(sd_y > 0, sd_y, 1)
    return np.where(varies & (sd_y > 0), np.abs(cross) / scale, 0.0)


def strongest(strength: np.ndarray, k: int) -> np.ndarray:
    """(chosen,) the at most k features of the largest strength above 0, strongest first."""
    k = min(k, int(np.count_nonzero(strength)))
    if k == 0:
        return np.empty(0, int)
    least = np.partition(strength, len(strength) - k)[len(strength) - k]
    candidates = np.flatnonzero(strength >= max(least, np.nextafter(0, 1)))
    order = np.lexsort((candidates, -strength[candidates]))
    return candidates[order[:k]]
