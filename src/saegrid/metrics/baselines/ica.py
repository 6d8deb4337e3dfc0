"""Independent components by FastICA: the k that contribute most to a token.

The first k components alone would span the space of k principal ones: at equal rank ICA is PCA. At
equal L0 every token chooses its own.
"""

import warnings
from collections.abc import Iterator

import numpy as np

from saegrid.metrics.baselines.fit import Described, Fit, Wanted, each_k, largest
from saegrid.metrics.baselines.memory import COMPONENTS

STEPS, TOLERANCE = 200, 1e-3
DEFINITION = (
    "x_hat = mean + sum of s_i a_i over the k components with the largest |s_i| |a_i| of a token; "
    "FastICA (logcosh) on a sample of the training tokens, {} components, {} steps"
)


def components(fit: Fit) -> tuple[np.ndarray, np.ndarray, int]:
    """The unmixing (component, d_model), the mixing (d_model, component), and the steps taken."""
    from sklearn.decomposition import FastICA

    variances, _ = fit.axes
    rank = int((variances > 1e-10 * variances[0]).sum())
    n = min(COMPONENTS, rank, len(fit.sample) - 1)
    model = FastICA(
        n,
        whiten="unit-variance",
        whiten_solver="eigh",
        max_iter=STEPS,
        tol=TOLERANCE,
        random_state=fit.seed,
    )
    with warnings.catch_warnings():
        # Steps are in the definition, and no more components are asked for than there are.
        warnings.simplefilter("ignore")
        model.fit(fit.sample - fit.mean)
    return model.components_, model.mixing_, int(model.n_iter_)


def ica(fit: Fit, wanted: list[Wanted]) -> Iterator[Described]:
    """Descriptions of L0 k by independent components; none if the tokens do not vary."""
    if not fit.varies:
        return
    unmixing, mixing, steps = components(fit)
    lengths = np.linalg.norm(mixing, axis=0)
    for one in each_k(wanted):

        def describe(x: np.ndarray, k: int = one.k) -> tuple[np.ndarray, np.ndarray]:
            s = (x - fit.mean) @ unmixing.T
            chosen = largest(np.abs(s) * lengths, k)
            s = np.where(chosen, s, 0)
            return fit.mean + s @ mixing.T, s

        yield Described(one, len(unmixing), describe, DEFINITION.format(len(unmixing), steps))
