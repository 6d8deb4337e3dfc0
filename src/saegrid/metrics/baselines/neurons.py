"""The coordinates of the site itself: the k that deviate most from their mean."""

from collections.abc import Iterator

import numpy as np

from saegrid.metrics.baselines.fit import Described, Fit, Wanted, each_k, largest

DEFINITION = (
    "x_hat_j = x_j at the k coordinates with the largest |x_j - mean_j| of a token, else mean_j"
)


def neurons(fit: Fit, wanted: list[Wanted]) -> Iterator[Described]:
    """Descriptions of L0 k by the d_model coordinates."""
    for one in each_k(wanted):

        def describe(x: np.ndarray, k: int = one.k) -> tuple[np.ndarray, np.ndarray]:
            away = x - fit.mean
            chosen = largest(np.abs(away), k)
            return np.where(chosen, x, fit.mean), np.where(chosen, away, 0)

        yield Described(one, fit.d_model, describe, DEFINITION)
