"""The linear support vector machine, scaled, with a penalty that is chosen, and converged."""

import warnings
from collections.abc import Sequence

import numpy as np

from saegrid.evidence.probes import fits
from saegrid.evidence.probes.linear.method import Line, Method, Rows, raw

STEPS = 100_000


def machine(x: Rows, y: np.ndarray, **options: float) -> tuple[np.ndarray, float, bool]:
    """Weights (unit,), intercept, and whether the steps were enough, of scikit-learn's LinearSVC
    with its defaults but for `options`. Its order of texts is drawn by seed 0, where the default
    draws it anew each time."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fit = LinearSVC(random_state=0, **options).fit(x, y)
    late = any(issubclass(one.category, ConvergenceWarning) for one in caught)
    return fit.coef_[0].astype(np.float64), float(fit.intercept_[0]), not late


def path(x: Rows, y: np.ndarray, penalties: Sequence[float]) -> list[Line]:
    """A probe for each penalty 1 / C, in the units of `fits.scale`."""
    unit = fits.scale(x)
    columns, out = unit.of(x), []
    for penalty in penalties:
        w, b, converged = machine(columns, y, C=1 / penalty, max_iter=STEPS)
        out.append(Line(*raw(w, b, unit), penalty, converged))
    return out


METHOD = Method(
    "linear SVM, scaled",
    "minimum of penalty (|w|^2 + b^2) / 2 + sum max(0, 1 - s (x @ w + b))^2, s the class as +1 and "
    "-1; columns centred and in units of their standard deviation (codes keep their zeros and "
    "proportions), texts then of mean square 1; the penalty is the best of several on texts that "
    "are not fitted",
    path,
    penalties=(100.0, 10.0, 1.0, 0.1, 0.01),
)
