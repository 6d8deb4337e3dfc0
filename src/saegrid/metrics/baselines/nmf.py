"""Non-negative parts, of activations that are shifted to be non-negative."""

import warnings
from collections.abc import Iterator

import numpy as np

from saegrid.metrics.baselines.fit import Described, Fit, Wanted, each_k

STEPS = 200
"""Most sweeps of the coordinate descent."""
TOLD = (
    "x_hat = min + W H, W (token, k) and H (k, d_model) non-negative, of x - min clipped at 0, min "
    "by dimension over the tokens that H is fitted on, a sample of the training tokens"
)


def nmf(fit: Fit, wanted: list[Wanted]) -> Iterator[Described]:
    """Rank k; coordinate descent from the singular vectors."""
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    low = fit.sample.min(axis=0)
    for one in each_k(wanted):
        k = min(one.k, *fit.sample.shape)
        model = NMF(k, init="nndsvda", max_iter=STEPS, tol=1e-4, random_state=fit.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(fit.sample - low)

        def describe(x: np.ndarray, model: NMF = model) -> tuple[np.ndarray, np.ndarray]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                W = model.transform(np.maximum(x - low, 0))
            return low + W @ model.components_, (W > 0).sum(axis=1)

        yield Described(one, k, describe, TOLD)
