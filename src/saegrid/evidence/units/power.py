"""The power of Welch's test on a unit that is silent on most texts.

A unit that fires on k of n texts has its least p where it fires on texts of one class alone, and
with one and the same value: with q = k / n_a,

    t = sqrt(q (n_a - 1) / (1 - q)),   df = n_a - 1.

Values that differ, or a firing in the other class, only lower t. Where that p is above the level,
no unit as sparse can be significant, whatever it stands for: few significant features of an SAE are
then no result about SAEs.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import stdtr

from saegrid.evidence import classical
from saegrid.evidence.exchange import generator
from saegrid.evidence.units import columns
from saegrid.evidence.units.compare import ALPHA

DENSITIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
"""Shares of texts on which a simulated unit fires."""
PURITIES = (0.5, 0.75, 0.9, 1.0)
"""Shares of its firings that fall into one class; half is no effect where classes are as large."""


def least_p(fires: np.ndarray, n_a: int, n_b: int) -> np.ndarray:
    """(unit,) the least p that Welch's test can give units that fire on so many texts, of classes
    of n_a and n_b texts; 1 where they fire on none, 0 where on as many as the smaller class has."""
    fires = np.asarray(fires, np.int64)
    p = np.ones(len(fires))
    for n in {n_a, n_b}:
        q = np.minimum(fires / n, 1)
        inside = (q > 0) & (q < 1)
        t = np.sqrt(np.where(inside, q, 0) * (n - 1) / np.where(inside, 1 - q, 1))
        p = np.minimum(p, np.where(inside, 2 * stdtr(n - 1, -t), np.where(q >= 1, 0.0, 1.0)))
    return p


def least_fires(n_a: int, n_b: int, alpha: float = ALPHA) -> int:
    """The least number of texts on which a unit must fire so that Welch's p can be below alpha."""
    return int(np.flatnonzero(least_p(np.arange(n_a + n_b + 1), n_a, n_b) < alpha)[0])


class Power(NamedTuple):
    """Share of simulated units that reach a level."""

    density: float
    purity: float
    test: str
    """welch, rank or firing, as in `compare.TESTS`."""
    power: float


def simulated(
    n_a: int,
    n_b: int,
    alpha: float = ALPHA,
    draws: int = 2000,
    seed: int = 0,
    densities: tuple[float, ...] = DENSITIES,
    purities: tuple[float, ...] = PURITIES,
) -> list[Power]:
    """Shares of units that reach alpha by each test.

    A unit of a density fires on each text of class a with the chance density (n_a + n_b) purity /
    n_a (at most 1), of class b with the rest, with values from an exponential distribution.
    """
    n = n_a + n_b
    in_a = np.arange(n) < n_a
    out = []
    for density in densities:
        for purity in purities:
            rng = generator(seed, f"power {density} {purity}")
            chances = density * n * np.array([purity / n_a, (1 - purity) / n_b])
            rate = np.where(in_a, *np.minimum(chances, 1))
            z = rng.exponential(1, (n, draws)) * (rng.random((n, draws)) < rate[:, None])
            codes = sparse.csc_matrix(z)
            welch = classical.welch_of(*(columns.moments(codes, one) for one in (in_a, ~in_a)))
            rank = classical.mann_whitney(classical.ranks(codes), in_a)
            fire = [(z[one] > 0).sum(axis=0) for one in (in_a, ~in_a)]
            firing = classical.fisher_mid_p(fire[0], n_a, fire[1], n_b)
            for test, p in (("welch", welch.p), ("rank", rank.p), ("firing", firing)):
                out.append(Power(density, purity, test, float((p < alpha).mean())))
    return out
