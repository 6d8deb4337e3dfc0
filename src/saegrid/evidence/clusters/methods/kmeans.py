"""k-means: k centres that leave the smallest sum of squared distances, the best of several starts.

Lloyd's algorithm from k-means++ starts (Arthur and Vassilvitskii, 2007), all starts in one product.
scikit-learn finds the same minima; here there are thousands of fits of few rows, and it takes
twenty times as long to set one up as to make it.
"""

import numpy as np

from saegrid.evidence.clusters.method import Method
from saegrid.evidence.exchange import generator

STARTS = 10
STEPS = 100
"""Steps of a start, at most."""
NEAR = 1e-4
"""A start ends where the squared moves of its centres, summed, are at most this times the mean
variance of a component, as in scikit-learn."""


def fit(rows: np.ndarray, k: int, least: int, seed: int) -> np.ndarray:
    """(row,) int64 labels of at most k clusters: some stay empty where there are fewer different
    rows."""
    centres = _starts(rows, k, generator(seed, "clusters kmeans"))
    still = NEAR * rows.var(axis=0).mean()
    moving = np.arange(STARTS)
    for _ in range(STEPS):
        labels, _ = _nearest(rows, centres[moving])
        new = _centres(rows, labels, centres[moving])
        moved = np.square(new - centres[moving]).sum(axis=(1, 2))
        centres[moving] = new
        moving = moving[moved > still]
        if not len(moving):
            break
    labels, apart = _nearest(rows, centres)
    sums = apart.sum(axis=1) + np.square(rows).sum()
    # Starts that end in the same minimum differ in their last bits: the first of them is taken.
    best = np.flatnonzero(sums <= sums.min() * (1 + 1e-9) + 1e-12)[0]
    return labels[best].astype(np.int64)


def _nearest(rows: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(start, row) the nearest centre, and its squared distance less the row's squared length,
    which is the same for all centres."""
    apart = np.square(centres).sum(axis=2)[:, :, None] - 2 * (centres @ rows.T)
    labels = apart.argmin(axis=1)
    return labels, np.take_along_axis(apart, labels[:, None], axis=1)[:, 0]


def _starts(rows: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """(start, cluster, component) rows drawn one after the other, each with a probability that is
    the squared distance to the nearest one before it."""
    chosen = np.empty((STARTS, k), np.int64)
    chosen[:, 0] = rng.integers(len(rows), size=STARTS)
    norms = np.square(rows).sum(axis=1)
    nearest = np.full((STARTS, len(rows)), np.inf)
    for number in range(1, k):
        last = rows[chosen[:, number - 1]]
        apart = norms + np.square(last).sum(axis=1)[:, None] - 2 * (last @ rows.T)
        nearest = np.minimum(nearest, np.maximum(apart, 0))
        total = np.cumsum(nearest, axis=1)
        drawn = rng.random(STARTS) * total[:, -1]
        chosen[:, number] = np.minimum((total <= drawn[:, None]).sum(axis=1), len(rows) - 1)
    return rows[chosen]


def _centres(rows: np.ndarray, labels: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(start, cluster, component) means of the rows of each cluster; one without rows stays."""
    starts, k = before.shape[:2]
    inside = (labels[:, None] == np.arange(k)[:, None]).astype(np.float64)
    count = inside.sum(axis=2)
    total = (inside.reshape(starts * k, -1) @ rows).reshape(before.shape)
    means = total / np.maximum(count, 1)[..., None]
    return np.where(count[..., None] > 0, means, before)


KMEANS = Method(fit, True, f"k-means, the best of {STARTS} k-means++ starts")
