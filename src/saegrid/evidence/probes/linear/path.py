"""Logistic regressions with L1 and elastic-net penalties, of falling strength.

The minimum of mean -log p(y) + penalty (ratio |w|_1 + (1 - ratio) |w|^2 / 2), p of log odds
x @ w + b, is that of glmnet (Friedman, Hastie, Tibshirani 2010): the loss is replaced by its
quadratic approximation, whose minimum scikit-learn's compiled coordinate descent gives, until the
gradient says that the minimum is reached. Only columns that may have a weight are handed over;
those that are left out are looked at again by their gradients.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from saegrid.evidence.probes.linear.method import Line, Rows, by_column, loss, raw, scaled

NEWTON, ROUNDS = 30, 20
ENOUGH = 1e-5
"""Share of the strongest penalty by which a gradient may miss its condition."""
CLOSE = 1e-8
"""Gap at which a descent ends, as a share of the sum of squares."""


def path(x: Rows, y: np.ndarray, penalties: Sequence[float], ratio: float) -> list[Line]:
    """A probe for each penalty, given in multiples of the least one under which all weights are
    zero, the strongest first."""
    n = len(y)
    unit = by_column(x)
    columns = scaled(x, unit)
    columns = columns if isinstance(columns, np.ndarray) else columns.tocsc()
    most = float(np.abs(columns.T @ (y - y.mean())).max(initial=0)) / (n * ratio)
    state = _State(np.zeros(columns.shape[1]), float(np.log(y.mean() / (1 - y.mean()))))
    out = []
    for share in penalties:
        state = _minimum(columns, y, share * most, ratio, state, ENOUGH * max(most, 1e-300))
        out.append(Line(*raw(state.w, state.b, unit), share, state.converged))
    return out


class _State:
    """Weights and intercept in the units of the columns."""

    def __init__(self, w: np.ndarray, b: float, converged: bool = True) -> None:
        self.w, self.b, self.converged = w, b, converged


def _minimum(
    x: Rows, y: np.ndarray, penalty: float, ratio: float, state: _State, enough: float
) -> _State:
    """The weights of one penalty, beginning with those of a stronger one."""
    w, b = state.w.copy(), state.b
    for _ in range(ROUNDS):
        margin = np.asarray(x @ w).ravel() + b
        gradient = np.asarray(x.T @ (expit(margin) - y)).ravel() / len(y)
        active = np.flatnonzero((w != 0) | (np.abs(gradient) > penalty * ratio + enough))
        if _missed(gradient, w, penalty, ratio) <= enough and (
            abs(float((expit(margin) - y).mean())) <= enough
        ):
            return _State(w, b)
        w[active], b = _quadratics(x[:, active], y, penalty, ratio, w[active], b, enough)
    return _State(w, b, converged=False)


def _missed(gradient: np.ndarray, w: np.ndarray, penalty: float, ratio: float) -> float:
    """By how much the worst column misses its condition at a minimum."""
    full = gradient + penalty * (1 - ratio) * w
    at_zero = np.maximum(np.abs(full) - penalty * ratio, 0)
    miss = np.where(w != 0, np.abs(full + penalty * ratio * np.sign(w)), at_zero)
    return float(miss.max(initial=0))


def _quadratics(
    x: Rows, y: np.ndarray, penalty: float, ratio: float, w: np.ndarray, b: float, enough: float
) -> tuple[np.ndarray, float]:
    """The minimum over a few columns by quadratic approximations, each with a line search."""
    if not len(w):
        return w, float(np.log(y.mean() / (1 - y.mean())))
    value = _value(x, y, penalty, ratio, w, b)
    for _ in range(NEWTON):
        margin = np.asarray(x @ w).ravel() + b
        p = expit(margin)
        gradient = np.asarray(x.T @ (p - y)).ravel() / len(y)
        missed = max(_missed(gradient, w, penalty, ratio), abs(float((p - y).mean())))
        if missed <= enough / 2:
            break
        curve = np.maximum(p * (1 - p), 1e-5)
        new_w, new_b = _descended(x, margin + (y - p) / curve, curve, penalty, ratio, w)
        rate = 1.0
        while rate > 1e-6:
            trial = w + rate * (new_w - w), b + rate * (new_b - b)
            new = _value(x, y, penalty, ratio, *trial)
            if new <= value + 1e-13:
                break
            rate /= 2
        else:
            break
        (w, b), value = trial, new
    return w, b


def _descended(
    x: Rows, z: np.ndarray, weight: np.ndarray, penalty: float, ratio: float, start: np.ndarray
) -> tuple[np.ndarray, float]:
    """The minimum of mean weight (z - x @ w - b)^2 / 2 + the penalty. The weights are divided by
    their mean, for scikit-learn does so, and the penalty with them."""
    from sklearn import config_context
    from sklearn.linear_model import ElasticNet

    mean = float(weight.mean())
    fit = ElasticNet(
        alpha=penalty / mean, l1_ratio=ratio, tol=CLOSE, max_iter=10_000, warm_start=True
    )
    fit.coef_ = start.copy()
    with config_context(assume_finite=True, skip_parameter_validation=True):
        fit.fit(x, z, sample_weight=weight / mean)
    return np.asarray(fit.coef_), float(fit.intercept_)


def _value(x: Rows, y: np.ndarray, penalty: float, ratio: float, w: np.ndarray, b: float) -> float:
    margin = np.asarray(x @ w).ravel() + b
    size = ratio * np.abs(w).sum() + (1 - ratio) / 2 * np.square(w).sum()
    return float(loss(margin, y).mean() + penalty * size)
