"""Columns that are specific to a cluster, and those that are large in all and specific to none.

Specificity of column j in cluster c (S1.9), z the numbers of the column:

    s_cj = (mean of z in c - mean of z over all rows) / sd_j,
    sd_j = sqrt(sum over clusters of sum over their rows of (z - mean of z in the cluster)^2
                / (n - clusters))                                          (pooled sd)

It does not change where a column is scaled or moved, so that columns are standardised by it. A
column with sd 0 has no specificity where its means are equal, else an infinite one. Rows in no
cluster count in the mean over all rows and in no other number.

A column is not specific, and is flagged, for one of these reasons:

- dense: a feature that fires on at least `dense` of the tokens;
- massive: a column with at least `massive` of the squared norm, sum of z_j^2 over rows over that of
  all columns;
- everywhere: one of the `top` columns with the largest |mean| in every cluster, with a specificity
  below 1 in all of them.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.evidence.clusters.method import NOWHERE, number_of
from saegrid.evidence.clusters.weighting import Columns, means, squares

DENSE, MASSIVE, EVERYWHERE = "dense", "massive", "everywhere"
TOP = 5
"""Columns that are on top of a cluster."""


class Means(NamedTuple):
    """Columns by cluster."""

    mean: np.ndarray
    """(cluster, column) float64."""
    whole: np.ndarray
    """(column,) mean over all rows."""
    sd: np.ndarray
    """(column,) pooled."""
    count: np.ndarray
    """(cluster,) rows."""

    def specificity(self) -> np.ndarray:
        """(cluster, column) float64 specificity."""
        apart = self.mean - self.whole
        # A difference that is rounding alone is none.
        tiny = 1e-12 * np.maximum(np.abs(self.mean).max(axis=0, initial=0), np.abs(self.whole))
        apart = np.where(np.abs(apart) <= tiny, 0.0, apart)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(apart == 0, 0.0, apart / np.where(self.sd > tiny, self.sd, 0.0))

    def between(self) -> np.ndarray:
        """(column,) float64 sum over clusters of rows times (mean - mean over all rows)^2: what the
        column adds to the distance between clusters."""
        return (self.count[:, None] * np.square(self.mean - self.whole)).sum(axis=0)


def by_cluster(columns: Columns, labels: np.ndarray) -> Means:
    """The means of columns in clusters. labels: (row,) from 0, -1 in none."""
    n = number_of(labels)
    inside = np.flatnonzero(labels != NOWHERE)
    ones = np.ones(len(inside))
    members = sparse.csr_matrix((ones, (labels[inside], inside)), shape=(n, len(labels)))
    count = np.bincount(labels[inside], minlength=n).astype(np.float64)
    total = members @ columns
    total = total.toarray() if sparse.issparse(total) else np.asarray(total)
    mean = total / np.maximum(count, 1)[:, None]
    within = _within(columns, labels, mean, count)
    return Means(mean, means(columns), np.sqrt(within / max(len(inside) - n, 1)), count)


def _within(
    columns: Columns, labels: np.ndarray, mean: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """(column,) sums of squares around the means of clusters, taken around them, since a sum of
    squares less that of a mean loses its digits."""
    inside = labels != NOWHERE
    if not sparse.issparse(columns):
        return np.square(columns[inside] - mean[labels[inside]]).sum(axis=0)
    entries = columns.tocoo()
    kept = inside[entries.row]
    row, column, value = entries.row[kept], entries.col[kept], entries.data[kept]
    cluster, width = labels[row], columns.shape[1]
    around = np.bincount(column, np.square(value - mean[cluster, column]), width)
    filled = np.bincount(cluster * width + column, minlength=len(count) * width)
    silent = count[:, None] - filled.reshape(len(count), width)
    return around + (silent * np.square(mean)).sum(axis=0)


def top_of(specificity: np.ndarray, mean: np.ndarray, n: int) -> np.ndarray:
    """(cluster, rank) int64: the n columns of largest specificity of each cluster, of those above
    0; -1 where there are less. Ties: the larger mean, then the smaller id."""
    out = np.full((len(specificity), n), -1, np.int64)
    for cluster, (scores, own) in enumerate(zip(specificity, mean, strict=True)):
        able = np.flatnonzero(scores > 0)
        order = able[np.lexsort((able, -own[able], -scores[able]))][:n]
        out[cluster, : len(order)] = order
    return out


class Flagged(NamedTuple):
    """Columns that are specific to no cluster."""

    reasons: list[list[str]]
    """Reasons of each column, empty where it is not flagged."""
    norm_share: np.ndarray
    """(column,) float64 share of the squared norm."""
    n_top: np.ndarray
    """(column,) int64: clusters of whose `top` largest |mean| it is one."""
    largest: np.ndarray
    """(column,) float64 largest specificity."""

    @property
    def is_flagged(self) -> np.ndarray:
        """(column,) bool."""
        return np.array([bool(several) for several in self.reasons], bool)


def flagged(
    columns: Columns,
    labels: np.ndarray,
    density: np.ndarray | None,
    dense: float,
    massive: float,
    top: int = TOP,
) -> Flagged:
    """Columns that are specific to no cluster of a clustering of all columns.

    density: (column,) share of tokens on which a feature fires; None where columns are no features.
    """
    of = by_cluster(columns, labels)
    norms = squares(columns, axis=0)
    share = norms / max(float(norms.sum()), 1e-300)
    largest = of.specificity().max(axis=0, initial=-np.inf)
    n_top = np.zeros(len(share), np.int64)
    for own in np.abs(of.mean):
        order = np.lexsort((np.arange(len(own)), -own))[:top]
        n_top[order[own[order] > 0]] += 1
    everywhere = (n_top == len(of.mean)) & (largest < 1) & (len(of.mean) > 1)
    marks = {MASSIVE: share >= massive, EVERYWHERE: everywhere}
    if density is not None:
        marks = {DENSE: density >= dense, **marks}
    reasons = [[name for name, mark in marks.items() if mark[j]] for j in range(len(share))]
    return Flagged(reasons, share, n_top, largest)
