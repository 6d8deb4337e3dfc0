"""The linear support vector machine as published: scikit-learn's defaults, columns as they are."""

from collections.abc import Sequence

import numpy as np

from saegrid.evidence.probes.linear.method import Line, Method, Rows
from saegrid.evidence.probes.linear.svm import machine


def path(x: Rows, y: np.ndarray, penalties: Sequence[float] = ()) -> list[Line]:
    """One probe, `LinearSVC()`: C = 1, at most 1,000 steps, columns not scaled; `converged` is
    False where these were not enough."""
    w, b, converged = machine(x, y)
    return [Line(w, b, None, converged)]


METHOD = Method(
    "linear SVM as published",
    "minimum of |w|^2 / 2 + b^2 / 2 + sum max(0, 1 - s (x @ w + b))^2, s the class as +1 and -1, "
    "over columns as they are, and at most 1,000 steps: scikit-learn's LinearSVC()",
    path,
)
