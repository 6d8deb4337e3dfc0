"""A truncated singular value decomposition of centred rows, sparse rows never made dense."""

import numpy as np
from scipy import sparse

from saegrid.evidence.clusters.weighting import Columns, means


def reduced(columns: Columns, components: int) -> np.ndarray:
    """(row, component) float64: the rows less their mean, in the directions of largest variance.

    U S of the singular value decomposition U S V' of the centred matrix, at most `components`
    columns, those whose singular value is above 1e-10 of the first. The sign of a direction is such
    that its entry of largest size, the first of equal ones, is above zero. The centre is taken off
    inside the products.
    """
    n, width = columns.shape
    wanted = min(components, n - 1, width)
    if wanted < min(n, width) - 1:
        left, size = _iterated(columns, wanted)
    else:
        dense = columns.toarray() if sparse.issparse(columns) else np.asarray(columns)
        left, size, _ = np.linalg.svd(dense - means(columns), full_matrices=False)
        left, size = left[:, :wanted], size[:wanted]
    kept = size > 1e-10 * max(float(size.max(initial=0.0)), 1e-300)
    rows = left[:, kept] * size[kept]
    largest = np.abs(rows).argmax(axis=0)
    signs = np.sign(rows[largest, np.arange(rows.shape[1])])
    return np.ascontiguousarray(rows * signs)


def _iterated(columns: Columns, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Left vectors and singular values by Lanczos' iteration from a fixed start, the largest
    first."""
    from scipy.sparse.linalg import LinearOperator, svds

    n, mean = columns.shape[0], means(columns)
    turned = columns.T.tocsr() if sparse.issparse(columns) else columns.T
    operator = LinearOperator(
        columns.shape,
        matvec=lambda v: columns @ np.ravel(v) - mean @ np.ravel(v),
        rmatvec=lambda u: turned @ np.ravel(u) - mean * np.sum(u),
        dtype=np.float64,
    )
    start = np.cos(np.arange(1, min(columns.shape) + 1, dtype=np.float64))
    left, size, _ = svds(operator, k=wanted, v0=start, tol=1e-10, maxiter=100 * n)
    order = np.argsort(-size, kind="stable")
    return left[:, order], size[order]
