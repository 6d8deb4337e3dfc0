"""Histograms of p, beside what exact tests of units without any difference give."""

from typing import NamedTuple

import numpy as np

RANGES = {"small": (0.01, 10), "whole": (1.0, 20)}
"""Ranges from 0 by name, as published and whole: their end and number of bins."""


class Histogram(NamedTuple):
    """Counts of p in bins of equal width from 0."""

    range: str
    edges: np.ndarray
    """(bin + 1,)."""
    counts: np.ndarray
    """(bin,) units with an edge <= p < the next; the last bin of the whole range holds p = 1."""
    expected: float
    """Units in each bin if all p were uniform: units times the width."""
    units: int
    """Units counted: all but constant ones, whose p is 1 by definition."""


def histograms(p: np.ndarray, constant: np.ndarray) -> list[Histogram]:
    """The histograms of the p of units. constant: (unit,) bool units that are left out."""
    values, out = p[~constant & ~np.isnan(p)], []
    for name, (end, bins) in RANGES.items():
        edges = np.arange(bins + 1) / bins * end
        inside = values if end >= 1 else values[values < end]
        place = np.clip(np.searchsorted(edges, inside, side="right") - 1, 0, bins - 1)
        counts = np.bincount(place, minlength=bins)
        out.append(Histogram(name, edges, counts, len(values) * end / bins, len(values)))
    return out
