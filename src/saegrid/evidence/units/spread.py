"""Over how many units a label is spread."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.evidence.intervals import LEVEL
from saegrid.evidence.probes import fits
from saegrid.evidence.probes.selection import Matrix
from saegrid.evidence.probes.target import CLASSES

SHARE = 0.9
"""Share of the full AUROC above .5 that a few units are to reach."""


def participation(w: np.ndarray) -> float:
    """Participation ratio of weights, (sum |w|)^2 / sum w^2: n of n weights of equal size, 1 of a
    single one; NaN where all are 0."""
    squares = float(w @ w)
    return float(np.abs(w).sum() ** 2 / squares) if squares else float("nan")


def weights(matrix: Matrix, y: np.ndarray, penalty: float = 1e-3) -> np.ndarray:
    """(unit,) weights of a logistic regression with an L2 penalty on all units and texts, each
    times the deviation of its unit: what a unit adds to the log odds, whatever its scale."""
    rows = matrix.tocsr() if sparse.issparse(matrix) else matrix
    scaled = fits.scale(rows).of(rows)
    fit = fits.wide(scaled, y, CLASSES, penalty)
    return fit.w * _deviation(scaled)


def _deviation(matrix: Matrix) -> np.ndarray:
    if not sparse.issparse(matrix):
        return matrix.std(axis=0)
    n = matrix.shape[0]
    mean = np.asarray(matrix.sum(axis=0)).ravel() / n
    power = np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel() / n
    return np.sqrt(np.maximum(power - mean**2, 0))


class Needed(NamedTuple):
    """The least number of units that reach a share of an AUROC above .5."""

    k: float
    """inf: none of the numbers that were tried reaches it; NaN: the AUROC is not above .5."""
    low: float
    """Interval over draws of word types, of those draws whose AUROC is above .5."""
    high: float
    unknown: float
    """Share of draws whose AUROC is not above .5."""


def needed(
    k: list[int | None], values: np.ndarray, full: np.ndarray, share: float = SHARE
) -> Needed:
    """The least k whose AUROC is at least .5 + share (full - .5).

    k, values: of a `Curve`, of which all units together are not counted; full: (draw + 1,) the
    AUROC that is to be reached.
    """
    tried = np.array([one for one in k if one is not None], float)
    reached = values[: len(tried)] >= 0.5 + share * (full - 0.5)
    first = np.where(reached.any(axis=0), tried[reached.argmax(axis=0)], np.inf)
    first = np.where(full > 0.5, first, np.nan)
    known = np.sort(first[1:][~np.isnan(first[1:])])
    unknown = 1 - len(known) / max(len(first) - 1, 1)
    if not len(known):
        return Needed(float(first[0]), float("nan"), float("nan"), unknown)
    tail = (1 - LEVEL) / 2 * (len(known) - 1)
    # Whole numbers, of which none is between two: the outer one counts.
    low, high = known[int(np.floor(tail))], known[int(np.ceil(len(known) - 1 - tail))]
    return Needed(float(first[0]), float(low), float(high), unknown)
