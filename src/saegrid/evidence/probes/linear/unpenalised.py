"""Logistic regression without a penalty, where there are fewer columns than texts."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes import fits
from saegrid.evidence.probes.linear.method import Line, Method, Rows, by_column, raw, scaled
from saegrid.evidence.probes.target import CLASSES


def path(x: Rows, y: np.ndarray, penalties: Sequence[float] = ()) -> list[Line]:
    """One probe; `converged` is False where the classes are separable, for then the weights grow
    without end. Unusable where columns are as many as the texts, or more."""
    n, p = x.shape
    if p >= n:
        raise Unusable(
            f"analyses.readout.probes.methods: unpenalised needs fewer columns than texts, and "
            f"{n:,} texts have {p:,} columns: many weights fit equally well, the matrix of second "
            "derivatives is singular (the published study stopped there with 'Singular matrix'). "
            "Take l1, l2 or elastic_net, which have one answer."
        )
    unit = by_column(x)
    columns = scaled(x, unit)
    columns = columns.toarray() if sparse.issparse(columns) else columns
    w = fits.narrow(columns, y, CLASSES, inverse=np.inf)
    margin = columns @ w[1:] + w[0]
    separable = bool(((margin > 0) == (y > 0)).all())
    return [Line(*raw(w[1:], float(w[0]), unit), None, not separable)]


METHOD = Method(
    "logistic regression, no penalty",
    "maximum of the likelihood, log odds x @ w + b; only with fewer columns than texts",
    path,
    is_odds=True,
)
