"""Logistic regression with the squares of the weights as its penalty."""

from collections.abc import Sequence

import numpy as np

from saegrid.evidence.probes import fits
from saegrid.evidence.probes.linear.method import Line, Method, Rows, raw
from saegrid.evidence.probes.target import CLASSES


def path(x: Rows, y: np.ndarray, penalties: Sequence[float]) -> list[Line]:
    """A probe for each penalty, in the units of `fits.scale`."""
    unit = fits.scale(x)
    columns, out = unit.of(x), []
    for penalty in penalties:
        fit = fits.wide(columns, y, CLASSES, penalty)
        out.append(Line(*raw(fit.w, float(fit.b[0]), unit), penalty))
    return out


METHOD = Method(
    "logistic regression, L2",
    "minimum of mean -log p(y) + penalty |w|^2 / 2, p of log odds x @ w + b; columns as of the "
    "scaled linear SVM; the penalty is the best of several on texts that are not fitted",
    path,
    penalties=(10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4),
    is_odds=True,
)
