"""The interface of baselines: the tokens they are fitted on, the requests, and the descriptions."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from saegrid.metrics.baselines.memory import SAMPLE
from saegrid.metrics.codes import widened
from saegrid.metrics.sources import at_most
from saegrid.saes.joined import Joined
from saegrid.saes.sae import blocks

READ = 4096
"""Number of tokens that are read at a time."""


class Wanted(NamedTuple):
    """A request to a baseline: the L0 or rank, and the size of the dictionary, of an SAE."""

    k: int
    """L0 or rank of the description."""
    d_sae: int
    """Size of the dictionary, for baselines that have one."""


class Described(NamedTuple):
    """A baseline at one L0 or rank."""

    wanted: Wanted
    width: int
    """Number of directions that the baseline chooses from."""
    describe: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | csr_array]]
    """Function of x (token, d_model) float64 that returns x_hat (token, d_model) and codes (token,
    direction), which are zero where a direction is not active."""
    definition: str


class Fit:
    """The training tokens of a site: the moments of all, and a sample that fits into memory."""

    def __init__(self, x: np.ndarray | Joined, rows: np.ndarray, seed: int = 0) -> None:
        """Set up the data; x: (captured, d_model) as stored; rows: those that are learned from."""
        self.x, self.rows, self.seed = x, rows, seed
        self.d_model = int(x.shape[1])

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """The mean (d_model,) and the covariance (d_model, d_model), computed about the mean of the
        first block."""
        shift = widened(self.x[self.rows[:READ]]).mean(axis=0)
        total, products = np.zeros(self.d_model), np.zeros((self.d_model, self.d_model))
        for start, stop in blocks(len(self.rows), READ):
            part = widened(self.x[self.rows[start:stop]]) - shift
            total += part.sum(axis=0)
            products += part.T @ part
        mean = total / len(self.rows)
        return shift + mean, products / len(self.rows) - np.outer(mean, mean)

    @property
    def mean(self) -> np.ndarray:
        """The mean (d_model,) float64 of the tokens."""
        return self._moments[0]

    @property
    def covariance(self) -> np.ndarray:
        """The covariance (d_model, d_model) float64 of the tokens."""
        return self._moments[1]

    @property
    def varies(self) -> bool:
        """True where the tokens are not all equal, but for rounding."""
        spread = float(np.trace(self.covariance))
        return spread > 1e-12 * (spread + float(self.mean @ self.mean))

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Variances (d_model,), descending, and principal directions (direction, d_model)."""
        variances, vectors = np.linalg.eigh(self.covariance)
        return variances[::-1], vectors.T[::-1]

    @cached_property
    def sample(self) -> np.ndarray:
        """A seeded sample (n, d_model) float64 of at most `SAMPLE` tokens."""
        return widened(self.x[at_most(self.rows, SAMPLE, self.seed)])


def largest(values: np.ndarray, k: int) -> np.ndarray:
    """(token, direction) bool: True at the k largest entries of each row; of equal ones the smaller
    direction is chosen."""
    if k >= values.shape[1]:
        return np.ones(values.shape, bool)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    chosen = np.zeros(values.shape, bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


def each_k(wanted: list[Wanted]) -> list[Wanted]:
    """The requests with each L0 or rank once, for baselines whose dictionary has no size of its
    own."""
    return list({one.k: one for one in sorted(wanted)}.values())
