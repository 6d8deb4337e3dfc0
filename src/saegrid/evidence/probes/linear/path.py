"""Logistic regressions with L1 and elastic-net penalties, of falling strength.

The minimum of mean -log p(y) + penalty (ratio |w|_1 + (1 - ratio) |w|^2 / 2), p of log odds
x @ w + b, by Newton steps inside an orthant: weights keep their signs, those that would change it
become zero, and zero ones are let go where the slope of the loss is beyond the penalty (Andrew and
Gao 2007; Schmidt 2010). Only columns that may have a weight take part in a step; those that are
left out are looked at again by their slopes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit

from saegrid.evidence.probes.linear.method import Line, Rows, by_column, loss, raw, scaled

STEPS, ROUNDS = 60, 60
ENOUGH = 1e-5
"""Share of the strongest penalty by which a slope may miss its condition."""
PART = 5
"""Share of the texts that is the largest number of columns let go at a time, those of the
largest slopes: more columns than texts have no single step."""
LEAST, FACTOR = 1e-9, 10.0
"""Share of the mean curvature that is added to each column's own, at least, and the factor by which
it grows after a step that was too long and falls after one that was not (Levenberg and
Marquardt)."""


class _Weights(NamedTuple):
    """Weights and intercept in the units of the columns."""

    w: np.ndarray
    b: float
    converged: bool = True


class _Penalty(NamedTuple):
    """Strengths of both penalties."""

    size: float
    square: float
    enough: float
    """By how much a slope may miss its condition."""

    def missed(self, slope: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(column,) by how much each column misses its condition at a minimum. slope: of the loss
        with the squares."""
        at_zero = np.maximum(np.abs(slope) - self.size, 0)
        return np.where(w != 0, np.abs(slope + self.size * np.sign(w)), at_zero)

    def value(self, margin: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
        """Loss that is made smallest."""
        sizes = self.size * float(np.abs(w).sum())
        return float(loss(margin, y).mean()) + sizes + self.square / 2 * float(w @ w)


def path(x: Rows, y: np.ndarray, penalties: Sequence[float], ratio: float) -> list[Line]:
    """A probe for each penalty, in multiples of the least one under which all weights are zero, the
    strongest first."""
    unit = by_column(x)
    columns = scaled(x, unit)
    columns = columns.tocsc() if sparse.issparse(columns) else columns
    slopes = np.abs(np.asarray(columns.T @ (y - y.mean())).ravel()) / len(y)
    most = float(slopes.max(initial=0)) / ratio
    weights = _Weights(np.zeros(columns.shape[1]), float(np.log(y.mean() / (1 - y.mean()))))
    out = []
    for share in penalties:
        strength = share * most
        enough = ENOUGH * max(most, 1e-300)
        penalty = _Penalty(strength * ratio, strength * (1 - ratio), enough)
        weights = _minimum(columns, y, penalty, weights)
        out.append(Line(*raw(weights.w, weights.b, unit), share, weights.converged))
    return out


def _minimum(x: Rows, y: np.ndarray, penalty: _Penalty, start: _Weights) -> _Weights:
    """The weights of one penalty, beginning with those of a stronger one."""
    w, b = start.w.copy(), start.b
    for _ in range(ROUNDS):
        p = expit(np.asarray(x @ w).ravel() + b)
        slope = np.asarray(x.T @ (p - y)).ravel() / len(y) + penalty.square * w
        missed = penalty.missed(slope, w)
        if missed.max(initial=0) <= penalty.enough and abs((p - y).mean()) <= penalty.enough:
            return _Weights(w, b)
        let_go = np.flatnonzero((w == 0) & (missed > 0))
        most = max(1, len(y) // PART)
        let_go = let_go[np.argsort(-missed[let_go], kind="stable")[:most]]
        active = np.sort(np.concatenate([np.flatnonzero(w), let_go]))
        some = x[:, active].toarray() if sparse.issparse(x) else x[:, active]
        w[active], b = _stepped(some, y, penalty, w[active], b)
    return _Weights(w, b, converged=False)


def _stepped(
    x: np.ndarray, y: np.ndarray, penalty: _Penalty, w: np.ndarray, b: float
) -> tuple[np.ndarray, float]:
    """The minimum over a few columns by Newton steps inside orthants."""
    n, margin = len(y), x @ w + b
    value, damping = penalty.value(margin, y, w), LEAST
    for _ in range(STEPS):
        p = expit(margin)
        slope, level = x.T @ (p - y) / n + penalty.square * w, float((p - y).mean())
        missed = max(float(penalty.missed(slope, w).max(initial=0)), abs(level))
        if missed <= penalty.enough / 2:
            break
        outward = -np.sign(slope) * (np.abs(slope) > penalty.size)
        sign = np.where(w != 0, np.sign(w), outward)
        free = np.flatnonzero(sign)
        inside = slope[free] + penalty.size * sign[free]
        step = _newton(x[:, free], p * (1 - p), penalty, np.append(inside, level), damping)
        rate = 1.0
        while rate > 1e-3:
            trial = w.copy()
            trial[free] -= rate * step[:-1]
            trial[trial * sign < 0] = 0
            moved = x @ trial + b - rate * step[-1]
            new = penalty.value(moved, y, trial)
            if new < value:
                break
            rate /= 2
        else:
            damping *= FACTOR**2
            continue
        damping = max(damping * FACTOR if rate < 0.5 else damping / FACTOR, LEAST)
        w, b, margin, value = trial, float(b - rate * step[-1]), moved, new
    return w, b


def _newton(
    x: np.ndarray, weight: np.ndarray, penalty: _Penalty, gradient: np.ndarray, damping: float
) -> np.ndarray:
    """(column + 1,) the Newton step of columns and intercept."""
    n, k = x.shape
    rooted = np.sqrt(weight)[:, None] * np.column_stack([x, np.ones(n)])
    curve = rooted.T @ rooted / n
    diagonal = np.diag_indices(k + 1)
    extra = np.full(k + 1, damping * float(np.trace(curve)) / (k + 1) + 1e-12)
    extra[:k] += penalty.square
    curve[diagonal] += extra
    return np.linalg.solve(curve, gradient)
