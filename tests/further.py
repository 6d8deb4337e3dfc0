"""Two statistics more than the library has, and what they must give, by a plain loop."""

import numpy as np

from saegrid.features.statistics import STATISTICS, Statistic, starts

FEW = 3
"""Active tokens up to which there is no share of weak ones."""


def _median(values, counts):
    owner = np.repeat(np.arange(len(counts)), counts)
    ordered = values[np.lexsort((values, owner))].astype(np.float64)
    first = starts(counts)
    return (ordered[first + (counts - 1) // 2] + ordered[first + counts // 2]) / 2


def _weak(values, counts):
    first = starts(counts)
    largest = np.repeat(np.maximum.reduceat(values, first), counts)
    share = np.add.reduceat(values < largest / 2, first, dtype=np.float64) / counts
    return np.where(counts > FEW, share, np.nan)


MEDIAN = Statistic(
    "planted_median", "planted median", "median of the <b>active</b> tokens", "number", _median
)
WEAK = Statistic("planted_share", "planted share", "share below half the largest", "percent", _weak)
FURTHER = {"planted_median": "further:MEDIAN", "planted_share": "further:WEAK"}


def register(monkeypatch):
    """The two, after those of the library."""
    for name, place in FURTHER.items():
        monkeypatch.setitem(STATISTICS, name, place)


def expected(activations):
    """Mean, median and share of weak ones of one feature's activations on masked tokens."""
    numbers = [float(a) for a in activations]
    weak = sum(a < max(numbers) / 2 for a in numbers) / len(numbers)
    return {
        "mean_activation": sum(numbers) / len(numbers),
        "planted_median": float(np.median(numbers)),
        "planted_share": weak if len(numbers) > FEW else None,
    }
