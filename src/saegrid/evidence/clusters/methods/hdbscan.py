"""HDBSCAN: clusters are what stays together over many densities; the others are in none.

It finds their number itself, as in scikit-learn.
"""

import numpy as np

from saegrid.evidence.clusters.method import Method


def fit(rows: np.ndarray, k: int, least: int, seed: int) -> np.ndarray:
    """(row,) int64 labels, -1 for rows in no cluster; least: rows of the smallest cluster."""
    from sklearn.cluster import HDBSCAN as Model

    labels = Model(min_cluster_size=min(least, len(rows)), copy=True).fit(rows).labels_
    return np.maximum(labels, -1).astype(np.int64)


HDBSCAN = Method(fit, False, "HDBSCAN, which finds the number of clusters itself")
