"""One number for how well an SAE serves to read a label: localisation times reconstruction.

    E(k) = (AUC_SAE(k) - .5) / (AUC_full(x) - .5) * max(0, 1 - FVU)

AUC_SAE(k): held-out AUROC of k features, chosen inside the training folds; AUC_full(x): that of a
probe on all channels of x; FVU: share of the variance of x that the reconstruction leaves. 1 is an
SAE whose k features tell as much as all of x, and that loses nothing of x. It is above 1 where they
tell more than the probe on x, and below 0 where they are on the wrong side of chance. An SAE whose
error is larger than that of the mean (FVU > 1) has 0, not a product of two negative factors.

Where x itself does not tell the classes apart (the interval of AUC_full(x) reaches .5), the first
factor divides by nothing but noise: E is then not defined.

SAEs that differ by seed alone have different E. The band of three or more is the interval in which
that of another seed lies with a chance of 95 %, mean +- t sd sqrt(1 + 1 / n); nothing is ranked
within it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from saegrid.evidence.intervals import LEVEL, percentiles

LEAST_SEEDS = 3
"""SAEs of a band."""
ABOVE, WITHIN, BELOW = "above", "within", "below"


class Effectiveness(NamedTuple):
    """The number with its interval over draws of word types."""

    value: float
    """NaN where it is not defined."""
    low: float
    high: float
    reason: str
    """Empty, or why it is not defined."""


def effectiveness(auc: np.ndarray, full: np.ndarray, fvu: np.ndarray) -> Effectiveness:
    """The combined number. auc, full, fvu: (draw + 1,) of the same draws, column 0 the data: AUROC
    of k features, AUROC of all channels of x, FVU."""
    low, _ = percentiles(full[None])
    if not full[0] > 0.5 or not low[0] > 0.5:
        known = f"AUROC {full[0]:.3f}, interval from {low[0]:.3f}"
        return Effectiveness(*[float("nan")] * 3, f"x does not tell the classes apart: {known}")
    above = np.where(full > 0.5, full - 0.5, np.nan)
    values = (auc - 0.5) / above * np.maximum(0, 1 - fvu)
    low, high = percentiles(values[None])
    return Effectiveness(float(values[0]), float(low[0]), float(high[0]), "")


def unexplained(x: np.ndarray, x_hat: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(draw,) FVU = sum |x - x_hat|^2 / sum |x - mean|^2 over texts and channels, the mean that of
    the texts drawn; NaN where x does not vary. weight: (text, draw) how often each text counts."""
    exact, error = x.astype(np.float64), (x - x_hat).astype(np.float64)
    exact = exact - exact.mean(axis=0)  # a large mean would cost digits
    w = weight.astype(np.float64)
    mean = w.T @ exact / w.sum(axis=0)[:, None]
    total = w.T @ np.square(exact).sum(axis=1) - w.sum(axis=0) * np.square(mean).sum(axis=1)
    left = w.T @ np.square(error).sum(axis=1)
    return np.where(total > 0, left / np.where(total > 0, total, 1), np.nan)


class Band(NamedTuple):
    """Values of SAEs that differ by seed alone."""

    n: int
    mean: float
    sd: float
    low: float
    """Limits between which the value of another seed lies with a chance of 95 %."""
    high: float


def band(values: Sequence[float], sd: float | None = None, df: int | None = None) -> Band | None:
    """The band of values; None of fewer than three, or where one is not defined. sd, df: a
    deviation pooled over several tasks, and its degrees of freedom; None: that of the values."""
    known = np.asarray(values, float)
    if len(known) < LEAST_SEEDS or np.isnan(known).any():
        return None
    n, mean = len(known), float(known.mean())
    own = float(known.std(ddof=1)) if sd is None else sd
    t = float(stdtrit(n - 1 if df is None else df, 1 - (1 - LEVEL) / 2))
    wide = float(t * own * np.sqrt(1 + 1 / n))
    return Band(n, mean, own, mean - wide, mean + wide)


def pooled(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Deviation of values around the mean of their group, and its degrees of freedom: the square
    root of sum (v - mean)^2 / sum (n - 1)."""
    squares = sum(float(np.square(np.asarray(g) - np.mean(g)).sum()) for g in groups)
    df = sum(len(g) - 1 for g in groups)
    return float(np.sqrt(squares / df)), df


def place(value: float, of: Band) -> str:
    """The place of a value beside a band: above, within, below."""
    if value > of.high:
        return ABOVE
    return BELOW if value < of.low else WITHIN
