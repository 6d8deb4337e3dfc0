"""Principal components: the best that any linear description of a rank can do."""

from collections.abc import Iterator

import numpy as np

from saegrid.metrics.baselines.fit import Described, Fit, Wanted, each_k

DEFINITION = "x_hat = mean + projection of x - mean on the first k principal directions"


def pca(fit: Fit, wanted: list[Wanted]) -> Iterator[Described]:
    """Descriptions of rank k by the covariance of all training tokens."""
    _, axes = fit.axes
    for one in each_k(wanted):
        basis = axes[: one.k]

        def describe(x: np.ndarray, basis: np.ndarray = basis) -> tuple[np.ndarray, np.ndarray]:
            codes = (x - fit.mean) @ basis.T
            return fit.mean + codes @ basis, codes

        yield Described(one, len(basis), describe, DEFINITION)
