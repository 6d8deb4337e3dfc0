"""The exact product behind every stored activation (design, semantics 8)."""

import numpy as np

CHUNK = 1 << 16
"""Numbers multiplied at a time: they stay in the processor's cache."""


def dots(
    rows: np.ndarray,
    x: np.ndarray,
    feature: np.ndarray,
    row: np.ndarray,
    short: bool = False,
    means: np.ndarray | None = None,
) -> np.ndarray:
    """(pair,) float64: rows[feature] . x[row], summed pairwise in an order fixed by d_model.

    rows: (feature, d_model) as stored; x: (row, d_model) float32; short: x holds bfloat16 numbers;
    means: (row,) float64, taken off x in float64 before the product where the SAE is centred.
    numpy's own sum does this without fused or threaded steps, so a pair's bits depend neither on
    its neighbours nor on a BLAS.

    The product of two bfloat16 numbers has 16 binary digits, so float32 holds it as float64 does,
    down to 2^-126; multiplying in float32 takes a third of the time.
    """
    out = np.empty(len(feature))
    chunk = max(1, CHUNK // x.shape[1])
    shape = (min(chunk, len(feature)), x.shape[1])
    # Memory for each step, since new memory for each chunk would cost as much as the arithmetic.
    stored, weights = np.empty(shape, rows.dtype), np.empty(shape, np.uint32)
    taken, product = np.empty(shape, np.float32), np.empty(shape)
    short = short and rows.dtype == np.uint16 and means is None
    for start in range(0, len(feature), chunk):
        stop = min(start + chunk, len(feature))
        part = slice(0, stop - start)
        w, p = stored[part], product[part]
        np.take(rows, feature[start:stop], axis=0, out=w, mode="clip")
        if w.dtype == np.uint16:
            bits = weights[part]
            np.copyto(bits, w)
            w = np.left_shift(bits, 16, out=bits).view(np.float32)
        values = taken[part]
        np.take(x, row[start:stop], axis=0, out=values, mode="clip")
        if short:
            np.multiply(values, w, out=values)
        np.copyto(p, values)
        if means is not None:
            np.subtract(p, means[row[start:stop], None], out=p)
        if not short:
            np.multiply(p, w, out=p)
        np.add.reduce(p, axis=1, out=out[start:stop])
    return out
