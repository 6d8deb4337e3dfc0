"""Agreement of two partitions of the same things: ARI, NMI, purity, with intervals and chance.

n_ij are the things in cluster i that have label j, a_i and b_j their sums, n all of them:

    ARI    = (S - A B / T) / ((A + B) / 2 - A B / T),   S = sum of C(n_ij, 2), A = sum of C(a_i, 2),
             B = sum of C(b_j, 2), T = C(n, 2)                             (Hubert and Arabie, 1985)
    NMI    = 2 I / (H_a + H_b),   I = sum of n_ij / n ln(n n_ij / (a_i b_j)), H the entropies
    purity = sum over i of max over j of n_ij, over n

ARI is 0 on average where labels have nothing to do with the clusters; NMI and purity are above 0
there, and more so with more clusters. So each stands beside its mean and 95th percentile over
shuffled labels. ARI and NMI are 1 where both partitions are one set.
"""

from typing import NamedTuple

import numpy as np

from saegrid.evidence import exchange
from saegrid.evidence.intervals import percentiles, resampled

MEASURES = ("ari", "nmi", "purity")
HELD = 1 << 22
"""Counts that are held at a time; it decides about no byte."""


class Agreement(NamedTuple):
    """A measure of agreement."""

    value: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    chance: float
    """Mean over shuffled labels."""
    chance_top: float
    """95th percentile over shuffled labels."""
    p: float
    """(1 + shuffles that agree as well) / (1 + shuffles)."""
    draws: np.ndarray
    """(draw,) the measure in each draw of whole originals, less their mean, plus the value."""


def tables(a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(draw, cluster, label) float64 counts of two partitions.

    a: (thing,) numbers from 0; b: the same, or (thing, draw); weights: (thing, draw) how often each
    thing counts, with `b` of one column.
    """
    several = b[:, None] if b.ndim == 1 else b
    n_a, n_b = int(a.max(initial=0)) + 1, int(several.max(initial=0)) + 1
    cell = a[:, None].astype(np.int64) * n_b + several
    draws = several.shape[1] if weights is None else weights.shape[1]
    out = np.empty((draws, n_a * n_b))
    for draw in range(draws):
        if weights is None:
            out[draw] = np.bincount(cell[:, draw], minlength=n_a * n_b)
        else:
            out[draw] = np.bincount(cell[:, 0], weights[:, draw], n_a * n_b)
    return out.reshape(draws, n_a, n_b)


def ari(counts: np.ndarray) -> np.ndarray:
    """(draw,) float64 adjusted Rand index of (draw, cluster, label) counts."""
    pairs, rows, columns, total = (
        _pairs(part)
        for part in (
            counts.reshape(len(counts), -1),
            counts.sum(axis=2),
            counts.sum(axis=1),
            counts.sum(axis=(1, 2))[:, None],
        )
    )
    expected = rows * columns / np.where(total > 0, total, 1)
    span = (rows + columns) / 2 - expected
    # Both have one cluster, or one for each thing: they are the same partition.
    return np.where(span > 0, (pairs - expected) / np.where(span > 0, span, 1), 1.0)


def _pairs(counts: np.ndarray) -> np.ndarray:
    return (counts * (counts - 1) / 2).sum(axis=1)


def nmi(counts: np.ndarray) -> np.ndarray:
    """(draw,) float64 normalised mutual information of (draw, cluster, label) counts."""
    share = counts / np.maximum(counts.sum(axis=(1, 2), keepdims=True), 1e-300)
    a, b = share.sum(axis=2), share.sum(axis=1)
    h_a, h_b = _entropy(a), _entropy(b)
    mutual = h_a + h_b - _entropy(share.reshape(len(share), -1))
    mean = (h_a + h_b) / 2
    return np.where(mean > 0, np.maximum(mutual, 0) / np.where(mean > 0, mean, 1), 1.0)


def _entropy(share: np.ndarray) -> np.ndarray:
    return -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)


def purity(counts: np.ndarray) -> np.ndarray:
    """(draw,) float64 share of the things whose label is the commonest of their cluster."""
    return counts.max(axis=2).sum(axis=1) / np.maximum(counts.sum(axis=(1, 2)), 1e-300)


FORMULAS = {"ari": ari, "nmi": nmi, "purity": purity}


def agreement(
    clusters: np.ndarray,
    labels: np.ndarray,
    original: np.ndarray,
    draws: int,
    shuffles: int,
    seed: int,
) -> dict[str, Agreement]:
    """Agreement of clusters with labels, by measure.

    clusters: (thing,) -1 of those in none, which count as one cluster more. labels: (thing,)
    numbers from 0. original: (thing,) what each is an edit or a sample of: whole originals are
    drawn and exchange their labels. The same seed gives the same draws and shuffles for other
    clusters of the same things, so that two clusterings can be compared draw by draw.

    Intervals are percentiles of draws with replacement, moved so that their mean is the value: what
    is drawn twice agrees with itself, which raises all three.
    """
    own = np.unique(clusters, return_inverse=True)[1]
    weights = resampled(original, draws, exchange.generator(seed, "clusters draws"))
    source = exchange.exchanged(original, shuffles, exchange.generator(seed, "clusters labels"))
    drawn, null = tables(own, labels, weights), _shuffled(own, labels, source)
    out = {}
    for name, formula in FORMULAS.items():
        values = formula(drawn)
        value, moved = float(values[0]), values[1:] - values[1:].mean() + values[0]
        low, high = percentiles(np.concatenate([values[:1], moved])[None])
        chance = null[name]
        as_good = int((chance >= value - 1e-12).sum())
        out[name] = Agreement(
            value,
            float(np.clip(low[0], -1, 1)),
            float(np.clip(high[0], -1, 1)),
            float(chance.mean()),
            float(np.percentile(chance, 95)),
            (1 + as_good) / (1 + len(chance)),
            moved,
        )
    return out


def _shuffled(own: np.ndarray, labels: np.ndarray, source: np.ndarray) -> dict[str, np.ndarray]:
    """(shuffle,) measures with the labels of other things."""
    step = max(1, HELD // max(len(own), 1))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in FORMULAS}
    for start in range(1, source.shape[1], step):
        counts = tables(own, labels[source[:, start : start + step]])
        for name, formula in FORMULAS.items():
            parts[name].append(formula(counts))
    return {name: np.concatenate(several) for name, several in parts.items()}


def pair(a: np.ndarray, b: np.ndarray) -> float:
    """The adjusted Rand index of two clusterings of the same things, those in no cluster as one."""
    one, other = (np.unique(labels, return_inverse=True)[1] for labels in (a, b))
    return float(ari(tables(one, other))[0])
