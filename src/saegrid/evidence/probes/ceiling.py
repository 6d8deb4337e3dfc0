"""The score that the noise of grades leaves to a perfect reader.

A text's label is the mean of the grades of a few judges; other judges would have given another
mean. Reliability is the share of the variance of the means that is not the judges':

    rho = (MSB - MSW) / MSB

with the mean squares between and within texts of a one-way analysis of variance, ICC(1, k) of
Shrout and Fleiss (1979). It is what Spearman and Brown's formula, 2 r / (1 + r), gives from the
correlation r of the means of two halves of the judges, over all ways to halve them. No function of
the text correlates with the means by more than sqrt(rho).

For high against low labels: of a text with mean g (in standard deviations from the mean of all)
the true mean is normal with mean rho g and variance rho (1 - rho). The ceiling of the AUROC is the
chance that the true mean of a high text is above that of a low one,

    mean over high g1 and low g0 of Phi(rho (g1 - g0) / sqrt(2 rho (1 - rho))).
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from saegrid.evidence.probes.target import CLASSES


def reliability(grades: Sequence[str | None]) -> float | None:
    """ICC(1, k) of grades written one digit a judge, `21100`; None where judges are fewer than two
    or all means are equal. Texts with fewer than two grades are left out."""
    rows = [np.array([int(c) for c in one if c.isdigit()], float) for one in grades if one]
    rows = [row for row in rows if len(row) > 1]
    if len(rows) < 3:
        return None
    k = np.array([len(row) for row in rows], float)
    means = np.array([row.mean() for row in rows])
    within = sum(float(np.square(row - row.mean()).sum()) for row in rows) / (k - 1).sum()
    grand = float((k * means).sum() / k.sum())
    between = float((k * (means - grand) ** 2).sum()) / (len(rows) - 1)
    if between <= 0:
        return None
    return max(0.0, (between - within) / between)


def ceiling(rho: float | None, kind: str, label: np.ndarray, y: np.ndarray) -> float | None:
    """The best score that is to be had, see above; None where the reliability is unknown.

    label: (text,) means of all graded texts, NaN left out; y: (row,) what is predicted, of classes
    NaN for texts of neither, in the order of `label`.
    """
    if rho is None:
        return None
    if kind != CLASSES:
        return float(np.sqrt(rho))
    known = ~np.isnan(label)
    label, y = label[known], y[known]
    g = (label - label.mean()) / label.std()
    if rho >= 1 or rho <= 0:
        return float(rho >= 1) / 2 + 0.5
    high, count_high = np.unique(g[y == 1], return_counts=True)
    low, count_low = np.unique(g[y == 0], return_counts=True)
    apart = ndtr(rho * (high[:, None] - low) / np.sqrt(2 * rho * (1 - rho)))
    return float(count_high @ apart @ count_low / (count_high.sum() * count_low.sum()))
