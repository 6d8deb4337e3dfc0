"""Fits of linear classifiers and regressions, and their predictions.

narrow: a few columns with an intercept, by Newton's method with all of the Hessian. wide: any
number of columns, dense or sparse, by Newton's method with conjugate gradients, never densified.
Both are minima of strictly convex functions; scikit-learn finds the same ones
(`tests/evidence/test_probes.py`), but takes two seconds to load.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit

from saegrid.evidence.probes.target import CLASSES

C = 1.0
"""Inverse strength of the penalty of narrow fits, as in scikit-learn: |w|^2 / 2C is added to the
sum of the losses of all texts, columns in units of their standard deviation."""
STEPS, INNER = 50, 200


def narrow(
    x: np.ndarray,
    y: np.ndarray,
    kind: str,
    start: np.ndarray | None = None,
    inverse: float = C,
) -> np.ndarray:
    """(column + 1,) float64 weights with the intercept first.

    x: (row, column) columns; y: (row,) 0 and 1, or numbers; start: weights to begin with, which
    change nothing but the time; inverse: inverse strength of the penalty, infinite: none.
    """
    n, k = x.shape
    design = np.hstack([np.ones((n, 1)), x])
    penalty = np.full(k + 1, 1 / inverse)
    penalty[0] = 0
    if kind != CLASSES:
        gram = design.T @ design
        gram[np.diag_indices(k + 1)] += penalty
        return np.linalg.solve(gram, design.T @ y)
    w = np.zeros(k + 1)
    share = y.mean()
    w[0] = np.log(share / (1 - share))
    if start is not None and _loss(design, y, start, penalty) < _loss(design, y, w, penalty):
        w = start.copy()
    value = _loss(design, y, w, penalty)
    for _ in range(STEPS):
        p = expit(design @ w)
        gradient = design.T @ (p - y) + penalty * w
        weighted = design * np.sqrt(p * (1 - p))[:, None]
        hessian = weighted.T @ weighted
        hessian[np.diag_indices(k + 1)] += penalty + 1e-10 * n
        step = np.linalg.solve(hessian, gradient)
        decrement = float(gradient @ step)
        if decrement < 1e-6 * n:
            return w - step  # the error of the next is of the order of its square
        rate = 1.0
        while (new := _loss(design, y, w - rate * step, penalty)) > value and rate > 1e-6:
            rate /= 2
        w, value = w - rate * step, new
    return w


def _loss(design: np.ndarray, y: np.ndarray, w: np.ndarray, penalty: np.ndarray) -> float:
    margin = design @ w
    return float(np.logaddexp(0, margin).sum() - y @ margin + (penalty * w * w).sum() / 2)


class Wide(NamedTuple):
    """Weights of a wide fit."""

    w: np.ndarray
    """(column,) of the scaled columns."""
    b: np.ndarray
    """(free,) of the intercept, and of the columns without penalty."""


class Scale(NamedTuple):
    """The units of columns, from the texts that are learned from.

    Dense columns are centred and have unit variance; sparse ones keep their zeros and their
    proportions. Then all are divided by one number, so that a row has a mean square of 1.
    """

    centre: np.ndarray | None
    unit: np.ndarray | float

    def of(self, x: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
        """Columns in these units."""
        if self.centre is None:
            return x * (1 / self.unit)
        return (x - self.centre) / self.unit


def scale(x: np.ndarray | sparse.csr_matrix) -> Scale:
    """The units of some rows."""
    if sparse.issparse(x):
        power = float((x.data.astype(np.float64) ** 2).sum()) / max(x.shape[0], 1)
        return Scale(None, np.sqrt(power) if power else 1.0)
    sd = x.std(axis=0)
    return Scale(x.mean(axis=0), np.where(sd > 0, sd, 1) * np.sqrt(x.shape[1]))


def wide(
    x: np.ndarray | sparse.csr_matrix,
    y: np.ndarray,
    kind: str,
    strength: float,
    free: np.ndarray | None = None,
) -> Wide:
    """Weights that make the mean loss of the rows + strength |w|^2 / 2 smallest.

    x: (row, column) in the units of `scale`; free: (row, n) columns without penalty beside the
    intercept.
    """
    n, d = x.shape
    beside = np.ones((n, 1)) if free is None else np.column_stack([np.ones(n), free])
    logistic = kind == CLASSES
    w, b = np.zeros(d), np.zeros(beside.shape[1])
    b[0] = np.log(y.mean() / (1 - y.mean())) if logistic else y.mean()
    margin = beside @ b
    value, first = _mean_loss(margin, y, logistic), None
    for _ in range(STEPS):
        p = expit(margin) if logistic else margin
        curve = p * (1 - p) if logistic else np.ones(n)
        gradient = np.concatenate([x.T @ (p - y) / n + strength * w, beside.T @ (p - y) / n])
        size = float(np.linalg.norm(gradient))
        first = size if first is None else first
        if size <= 1e-6 * max(first, 1e-3):
            break
        step = _solved(x, beside, curve, strength, gradient, min(0.1, np.sqrt(size)) * size)
        moved = x @ step[:d] + beside @ step[d:]
        rate, slope = 1.0, float(gradient @ step)
        while rate > 1e-6:
            new = _mean_loss(margin - rate * moved, y, logistic)
            new += strength / 2 * float(np.square(w - rate * step[:d]).sum())
            if new <= value - 1e-4 * rate * slope:
                break
            rate /= 2
        else:
            break
        w, b, margin = w - rate * step[:d], b - rate * step[d:], margin - rate * moved
        value = new
    return Wide(w, b)


def _mean_loss(margin: np.ndarray, y: np.ndarray, logistic: bool) -> float:
    if logistic:
        return float((np.logaddexp(0, margin) - y * margin).mean())
    return float(np.square(margin - y).mean() / 2)


def _solved(
    x: np.ndarray | sparse.csr_matrix,
    beside: np.ndarray,
    curve: np.ndarray,
    strength: float,
    gradient: np.ndarray,
    enough: float,
) -> np.ndarray:
    """The Newton step by conjugate gradients, up to a residual that is small enough."""
    n, d = x.shape
    step, rest = np.zeros_like(gradient), gradient.copy()
    direction, power = rest.copy(), float(rest @ rest)
    for _ in range(INNER):
        if np.sqrt(power) <= enough:
            break
        u = curve * (x @ direction[:d] + beside @ direction[d:]) / n
        image = np.concatenate([x.T @ u + strength * direction[:d], beside.T @ u])
        image[d:] += 1e-12 * direction[d:]
        rate = power / float(direction @ image)
        step += rate * direction
        rest -= rate * image
        power, before = float(rest @ rest), power
        direction = rest + power / before * direction
    return step


def predicted(
    fit: Wide, x: np.ndarray | sparse.csr_matrix, free: np.ndarray | None = None
) -> np.ndarray:
    """(row,) float64 predictions: log odds, or numbers."""
    out = x @ fit.w + fit.b[0]
    return out if free is None else out + free @ fit.b[1:]


def direction(x: np.ndarray | sparse.csr_matrix, y: np.ndarray) -> np.ndarray:
    """(column,) difference of the means of both classes; of numbers the covariance with them."""
    return np.asarray(x.T @ (y - y.mean())).ravel() / max(
        float(np.square(y - y.mean()).sum()), 1e-300
    )
