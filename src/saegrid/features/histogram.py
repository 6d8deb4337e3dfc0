"""Histograms of features' activations, the same for the python API and for pages."""

from typing import NamedTuple

import numpy as np

BINS = 50
"""Bins of a feature's histogram (S0.24)."""


class Histogram(NamedTuple):
    """Counts of activations in bins of equal width; of many features with (feature,) in front."""

    edges: np.ndarray
    """(bin + 1,) float64, ascending."""
    counts: np.ndarray
    """(bin,) int64; they add up to the number of values that are not zero."""

    @property
    def centers(self) -> np.ndarray:
        """(bin,) float64: the middle of each bin."""
        return (self.edges[..., :-1] + self.edges[..., 1:]) / 2


def histogram(values: np.ndarray, bins: int = BINS, low: float | None = None) -> Histogram:
    """Counts of the non-zero `values` in `bins` bins from `low` to the largest value.

    low: where the first bin opens; by default the smallest non-zero value, as on the published
    pages (S0.24). A bin holds its lower edge, the last one its upper edge too. Where all values
    are equal they stand in the middle of a range of width 1; without values all counts are zero.

    Raises ValueError for values that are not finite, or that lie below `low`.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    nonzero = flat[flat != 0]
    if not np.isfinite(nonzero).all():
        raise ValueError(
            f"{(~np.isfinite(nonzero)).sum()} of {len(nonzero)} values are not finite."
        )
    if low is not None and len(nonzero) and nonzero.min() < low:
        raise ValueError(f"low must be at most the smallest value {nonzero.min()}; got {low}.")
    edges, counts = histograms(nonzero, np.array([0, len(nonzero)]), bins, low)
    return Histogram(edges[0], counts[0])


def histograms(
    values: np.ndarray, indptr: np.ndarray, bins: int = BINS, low: float | None = None
) -> Histogram:
    """`histogram` of every feature at once: edges (feature, bin + 1), counts (feature, bin).

    values: (entry,) finite and not zero, by feature; feature f owns indptr[f] to indptr[f + 1].
    Edges and counts are those of np.histogram: the same operations in the same order.
    """
    values, n = np.asarray(values, np.float64), np.diff(indptr)
    owner, alive = np.repeat(np.arange(len(n)), n), np.flatnonzero(n)
    first = np.full(len(n), low or 0.0, np.float64)
    last = first + 1
    if len(alive):
        if low is None:
            first[alive] = np.minimum.reduceat(values, indptr[alive])
        last[alive] = np.maximum.reduceat(values, indptr[alive])
    half = np.where(first == last, 0.5, 0.0)
    first, last = first - half, last + half
    edges = np.linspace(first, last, bins + 1, axis=1)
    place = ((values - first[owner]) / (last - first)[owner] * bins).astype(np.intp)
    place[place == bins] -= 1
    # A quotient may round across an edge.
    place -= values < edges[owner, place]
    place += (values >= edges[owner, place + 1]) & (place != bins - 1)
    counts = np.bincount(owner * bins + place, minlength=len(n) * bins)
    return Histogram(edges, counts.reshape(len(n), bins))
