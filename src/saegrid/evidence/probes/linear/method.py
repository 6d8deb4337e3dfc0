"""The interface of linear probes: fits of two classes, one for each strength of a penalty."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit

from saegrid.evidence.probes import fits

Rows = np.ndarray | sparse.csr_matrix
"""(text, unit) float64 numbers that describe texts."""


class Line(NamedTuple):
    """A linear probe: the class 1 is predicted where x @ w + b > 0."""

    w: np.ndarray
    """(unit,) float64 weights in the units of x."""
    b: float
    penalty: float | None = None
    """The strength that it was fitted with; None where there is none."""
    converged: bool = True

    @property
    def n_nonzero(self) -> int:
        """Number of units with a weight that is not zero."""
        return int(np.count_nonzero(self.w))

    def of(self, x: Rows) -> np.ndarray:
        """(text,) float64 x @ w + b: log odds, or a distance."""
        return np.asarray(x @ self.w).ravel() + self.b


class Method(NamedTuple):
    """A way to fit linear probes."""

    title: str
    definition: str
    path: Callable[[Rows, np.ndarray, Sequence[float]], list[Line]]
    """Function of x (text, unit), y (text,) 0 and 1, and penalties, the strongest first, that gives
    a probe for each of these; one alone where the method has no penalty."""
    penalties: Sequence[float] = ()
    """Strengths of which one is chosen on texts that are not fitted, the strongest first."""
    is_odds: bool = False
    """Predicts log odds, so that a deviance is defined; the penalty is the one of the least
    deviance, else the one of the largest AUROC."""


def raw(w: np.ndarray, b: float, unit: fits.Scale) -> tuple[np.ndarray, float]:
    """Weights (unit,) and intercept in the units of x, from those in the units of a scale."""
    w = w / unit.unit
    return w, b if unit.centre is None else b - float(unit.centre @ w)


def by_column(x: Rows) -> fits.Scale:
    """The scale in which each column has unit variance; dense ones are centred, sparse ones keep
    their zeros; columns that do not vary stay as they are."""
    if not sparse.issparse(x):
        sd = x.std(axis=0)
        return fits.Scale(x.mean(axis=0), np.where(sd > 1e-12, sd, 1.0))
    mean = np.asarray(x.mean(axis=0)).ravel()
    variance = np.asarray(x.power(2).mean(axis=0)).ravel() - mean**2
    varies = variance > 1e-12 * np.maximum(mean**2, 1e-300)
    return fits.Scale(None, np.where(varies, np.sqrt(np.where(varies, variance, 1)), 1.0))


def scaled(x: Rows, unit: fits.Scale) -> Rows:
    """x in the units of a scale."""
    if unit.centre is None and np.ndim(unit.unit):
        return sparse.csr_matrix(x @ sparse.diags_array(1 / unit.unit))
    return unit.of(x)


def loss(margin: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(text,) float64 -log p(y) in nats of log odds."""
    return np.logaddexp(0, margin) - y * margin


def explained(margin: np.ndarray, y: np.ndarray, share: np.ndarray | float) -> float:
    """Explained deviance 1 - sum -log p(y) / sum -log q(y), q the share of the class in the texts
    that were fitted; below 0 where the share alone predicts better."""
    share = np.clip(share, 1e-12, 1 - 1e-12)
    none = -(y * np.log(share) + (1 - y) * np.log1p(-share))
    return float(1 - loss(margin, y).sum() / none.sum())


def accuracy(margin: np.ndarray, y: np.ndarray) -> float:
    """Share of the texts whose class is predicted."""
    return float(((margin > 0) == (y > 0)).mean())


def probability(margin: np.ndarray) -> np.ndarray:
    """(text,) probability of the class 1 from log odds."""
    return expit(margin)
