"""Scores of names: how well whoever has a name alone tells where its feature fires."""

from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Score(NamedTuple):
    """A balanced accuracy; NaN where one of the two classes has no answered context."""

    value: float
    """(sensitivity + specificity) / 2."""
    low: float
    high: float
    sensitivity: float
    """Share of the contexts that show the feature which are judged so."""
    specificity: float
    """Share of the others that are judged so."""
    n_yes: int
    """Answered contexts that show it."""
    n_no: int
    """Answered contexts that do not."""


NOTHING = Score(*[float("nan")] * 5, 0, 0)


def score(truth: np.ndarray, verdict: np.ndarray) -> Score:
    """Balanced accuracy of verdicts (context,) float64 1 or 0, NaN where there is no answer.

    truth: (context,) bool. (a / n_yes + b / n_no) / 2, with a of the n_yes contexts that show the
    feature judged yes and b of the n_no others judged no. Interval: both shares have the exact
    interval of Clopper and Pearson at the level sqrt(0.95), so that both hold with probability 0.95
    or more, and the mean of their ends is taken; it is exact and on the wide side.
    """
    known = ~np.isnan(verdict)
    yes, no = known & truth, known & ~truth
    n, k = np.array([yes.sum(), no.sum()]), np.array([verdict[yes].sum(), (verdict[no] == 0).sum()])
    if not n.all():
        return NOTHING._replace(n_yes=int(n[0]), n_no=int(n[1]))
    low, high = clopper_pearson(k, n, LEVEL**0.5)
    share = k / n
    ends = (float(ends.mean()) for ends in (share, low, high))
    return Score(*ends, float(share[0]), float(share[1]), int(n[0]), int(n[1]))


def clopper_pearson(k: np.ndarray, n: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The exact interval of k of n."""
    from scipy.special import betaincinv  # scipy.stats takes seconds to load

    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, betaincinv(k, n - k + 1, tail), 0.0)
        high = np.where(k < n, betaincinv(k + 1, n - k, 1 - tail), 1.0)
    return low, high


def median(values: np.ndarray) -> float | None:
    """The median of those values that are numbers; None without any."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None
