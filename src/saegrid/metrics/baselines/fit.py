"""What baselines are fitted on, what is asked of them, and what they give."""

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
"""Tokens that are read at a time."""


class Wanted(NamedTuple):
    """What a baseline is to be equal to."""

    k: int
    """L0 or rank."""
    d_sae: int
    """Size of the dictionary, where a baseline has one."""


class Described(NamedTuple):
    """A baseline at one L0 or rank."""

    wanted: Wanted
    width: int
    """Directions that it chooses from."""
    describe: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | csr_array]]
    """x (token, d_model) float64 to x_hat (token, d_model) and codes (token, direction), which are
    zero where a direction is not active."""
    definition: str


class Fit:
    """Training tokens of a site: moments of all, and a sample of those where all do not fit."""

    def __init__(self, x: np.ndarray | Joined, rows: np.ndarray, seed: int = 0) -> None:
        """x: (captured, d_model) as stored; rows: those that are learned from."""
        self.x, self.rows, self.seed = x, rows, seed
        self.d_model = int(x.shape[1])

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Sum (d_model,) and sum of products (d_model, d_model), about the first block's mean."""
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
        """(d_model,) float64."""
        return self._moments[0]

    @property
    def covariance(self) -> np.ndarray:
        """(d_model, d_model) float64."""
        return self._moments[1]

    @property
    def varies(self) -> bool:
        """Whether there is more than one token among them, but for rounding."""
        spread = float(np.trace(self.covariance))
        return spread > 1e-12 * (spread + float(self.mean @ self.mean))

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Variances (d_model,), falling, and principal directions (direction, d_model)."""
        variances, vectors = np.linalg.eigh(self.covariance)
        return variances[::-1], vectors.T[::-1]

    @cached_property
    def sample(self) -> np.ndarray:
        """(n, d_model) float64: at most `SAMPLE` seeded tokens."""
        return widened(self.x[at_most(self.rows, SAMPLE, self.seed)])


def largest(values: np.ndarray, k: int) -> np.ndarray:
    """(token, direction) bool: the k largest entries of each row; ties to the smaller direction."""
    if k >= values.shape[1]:
        return np.ones(values.shape, bool)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    chosen = np.zeros(values.shape, bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


def each_k(wanted: list[Wanted]) -> list[Wanted]:
    """Each L0 or rank once, for baselines without a dictionary of a size of its own."""
    return list({one.k: one for one in sorted(wanted)}.values())
