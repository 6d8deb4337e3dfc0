"""Histogram of a feature's activations, the same for the python API and for pages."""

from typing import NamedTuple

import numpy as np

BINS = 50
"""Bins of a feature's histogram (S0.24)."""


class Histogram(NamedTuple):
    """Counts of activations in bins of equal width."""

    edges: np.ndarray
    """(bin + 1,) float64, ascending."""
    counts: np.ndarray
    """(bin,) int64; they add up to the number of values that are not zero."""

    @property
    def centers(self) -> np.ndarray:
        """(bin,) float64: the middle of each bin."""
        return (self.edges[:-1] + self.edges[1:]) / 2


def histogram(values: np.ndarray, bins: int = BINS, low: float | None = None) -> Histogram:
    """Counts of the non-zero `values` in `bins` bins from `low` to the largest value.

    low: where the first bin opens; by default the smallest non-zero value, as on the published
    pages (S0.24). A bin holds its lower edge, the last one its upper edge too. Where all values
    are equal they stand in the middle of a range of width 1; without values all counts are zero.

    Raises ValueError for values that are not finite, or that lie below `low`.
    """
    found = np.asarray(values, dtype=np.float64).ravel()
    found = found[found != 0]
    if not np.isfinite(found).all():
        raise ValueError(f"{(~np.isfinite(found)).sum()} of {len(found)} values are not finite.")
    if not len(found):
        return Histogram(np.linspace(low or 0.0, (low or 0.0) + 1, bins + 1), np.zeros(bins, int))
    first = found.min() if low is None else low
    if found.min() < first:
        raise ValueError(f"low must be at most the smallest value {found.min()}; got {low}.")
    counts, edges = np.histogram(found, bins, (first, found.max()))
    return Histogram(edges, counts.astype(np.int64))
