"""The exact product behind every stored activation (design, semantics 8)."""

import numpy as np

from saegrid.saes.sae import widen

CHUNK = 1 << 15
"""Numbers multiplied at a time: they stay in the processor's cache."""


def dots(rows: np.ndarray, x: np.ndarray, feature: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(pair,) float64: rows[feature] . x[row], summed pairwise in an order fixed by d_model.

    rows: (feature, d_model) as stored; x: (row, d_model) float32. numpy's own sum does this without
    fused or threaded steps, so a pair's bits depend neither on its neighbours nor on a BLAS.
    """
    out = np.empty(len(feature))
    chunk = max(1, CHUNK // x.shape[1])
    product = np.empty((chunk, x.shape[1]))
    weights = np.empty_like(product)
    for start in range(0, len(feature), chunk):
        stop = min(start + chunk, len(feature))
        w, p = weights[: stop - start], product[: stop - start]
        np.copyto(w, widen(rows[feature[start:stop]]))
        np.copyto(p, x[row[start:stop]])
        np.multiply(p, w, out=p)
        np.add.reduce(p, axis=1, out=out[start:stop])
    return out
