"""Units that are selected again and again from halves of the words (Meinshausen and Buehlmann
2010).

In each half of the word types of both classes q units are selected; a unit is stable where the
share of halves that select it is at least a threshold t > 1/2. If units without an effect are
exchangeable, and a selection is no worse than a random one, at most q^2 / ((2 t - 1) p) of p units
are stable by chance.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.evidence.exchange import generator
from saegrid.evidence.probes.selection import Matrix, strengths, strongest

RANK, L1 = "rank", "l1"
METHODS = {
    RANK: "the q units of the largest strength in the half",
    L1: "the units with a weight in a logistic regression with an L1 penalty on columns in units "
    "of their deviation, at the penalty that keeps q of them on all texts",
}
"""Ways to select units, in words."""


class Stability(NamedTuple):
    """The share of halves in which each unit is selected."""

    share: np.ndarray
    """(unit,) share of halves that select it."""
    q: float
    """Mean number of units that a half selects."""

    def bound(self, threshold: float) -> float:
        """Expected number of stable units without an effect, at most: q^2 / ((2 t - 1) p)."""
        return self.q**2 / ((2 * threshold - 1) * len(self.share))

    def stable(self, threshold: float) -> np.ndarray:
        """(stable,) units, those selected most often first."""
        order = np.lexsort((np.arange(len(self.share)), -self.share))
        return order[self.share[order] >= threshold]


def halves(y: np.ndarray, type: np.ndarray, times: int, seed: int) -> np.ndarray:
    """(text, times) bool half of the word types of each class, drawn by seed."""
    rng = generator(seed, "halves of words")
    kinds, number = np.unique(type, return_inverse=True)
    label = np.bincount(number, y) / np.bincount(number)
    out = np.zeros((len(kinds), times), bool)
    for value in np.unique(label):
        ours = np.flatnonzero(label == value)
        for time in range(times):
            out[rng.permutation(ours)[: max(1, len(ours) // 2)], time] = True
    return out[number]


def by_rank(matrix: Matrix, y: np.ndarray, chosen: np.ndarray, q: int) -> Stability:
    """Selection by strength. chosen: (text, half) bool."""
    strength = strengths(matrix, np.repeat(y[:, None], chosen.shape[1], axis=1), chosen)
    selected = (strongest(strength[:, half], q) for half in range(chosen.shape[1]))
    return _summed(selected, matrix.shape[1], chosen.shape[1])


def by_l1(matrix: Matrix, y: np.ndarray, chosen: np.ndarray, q: int, seed: int = 0) -> Stability:
    """Selection by a regression with an L1 penalty."""
    scaled = _in_deviations(matrix)
    # The penalty of a text stays the same: half of the texts weigh half as much against it.
    C = _strength_of(scaled, y, q, seed) * len(y) / chosen.sum(axis=0).mean()
    selected = (np.flatnonzero(_fitted(scaled[half], y[half], C, seed)) for half in chosen.T)
    return _summed(selected, matrix.shape[1], chosen.shape[1])


def _summed(selected: Iterator[np.ndarray], units: int, times: int) -> Stability:
    counts = np.zeros(units, np.int64)
    for one in selected:
        counts[one] += 1
    return Stability(counts / times, float(counts.sum() / times))


def _in_deviations(matrix: Matrix) -> np.ndarray | sparse.csr_matrix:
    """Columns over their deviation; those that do not vary are zero."""
    if not sparse.issparse(matrix):
        centred = np.asarray(matrix, np.float64) - np.asarray(matrix, np.float64).mean(axis=0)
        sd = centred.std(axis=0)
        return centred * np.where(sd > 0, 1 / np.where(sd > 0, sd, 1), 0)
    exact = matrix.tocsr().astype(np.float64)
    mean = np.asarray(exact.mean(axis=0)).ravel()
    power = np.asarray(exact.multiply(exact).mean(axis=0)).ravel()
    variance = power - mean**2
    varies = variance > 1e-12 * np.maximum(power, 1e-300)
    unit = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0)
    return (exact @ sparse.diags(unit)).tocsr()


def _fitted(x: np.ndarray | sparse.csr_matrix, y: np.ndarray, C: float, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression  # takes two seconds to load

    model = LogisticRegression(
        l1_ratio=1.0, C=C, solver="liblinear", tol=1e-4, max_iter=200, random_state=seed
    )
    return model.fit(x, y).coef_.ravel()


def _strength_of(x: np.ndarray | sparse.csr_matrix, y: np.ndarray, q: int, seed: int) -> float:
    """The least C, of steps by a fifth, that keeps q units on all texts."""
    # Below it no unit has a weight: half of the gradient at zero, where p = 1/2.
    gradient = np.abs(np.asarray(x.T @ (y - 0.5)).ravel()).max()
    C = 1 / max(float(gradient), 1e-12)
    for _ in range(60):
        if np.count_nonzero(_fitted(x, y, C, seed)) >= min(q, x.shape[1]):
            break
        C *= 1.2
    return C
