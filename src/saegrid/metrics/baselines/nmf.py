"""Non-negative parts of activations that are shifted to be non-negative."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from saegrid.metrics.baselines.fit import Described, Fit, Wanted, each_k

Parts = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Function of non-negative tokens (token, d_model) that returns W (token, k) and H (k, d_model)."""
STEPS = 200
"""Largest number of sweeps of the coordinate descent."""
DEFINITION = (
    "x_hat = min + W H, W (token, k) and H (k, d_model) non-negative, of x - min clipped at 0, min "
    "by dimension over the tokens that H is fitted on, a sample of the training tokens"
)


def nmf(fit: Fit, wanted: list[Wanted]) -> Iterator[Described]:
    """Descriptions of rank k, by coordinate descent from the singular vectors; none if the tokens
    do not vary."""
    if not fit.varies:
        return
    low = fit.sample.min(axis=0)
    for one in each_k(wanted):
        k = min(one.k, *fit.sample.shape)
        # With a part for each dimension nothing is left: no descent, which would take longest here.
        parts = _exact if k == len(low) else _fitted(fit.sample - low, k, fit.seed)

        def describe(x: np.ndarray, parts: Parts = parts) -> tuple[np.ndarray, np.ndarray]:
            W, H = parts(np.maximum(x - low, 0))
            return low + W @ H, W

        yield Described(one, k, describe, DEFINITION)


def _exact(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exact factors: W = x, H = the identity."""
    return x, np.eye(x.shape[1])


def _fitted(sample: np.ndarray, k: int, seed: int) -> Parts:
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    model = NMF(k, init="nndsvda", max_iter=STEPS, tol=1e-4, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(sample)

    def parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.transform(x), model.components_

    return parts
