"""The number of clusters by a rule, and how firm clusters are, beside rows without any.

For each number k:

    silhouette = mean over rows of (b - a) / max(a, b),   a: mean distance to the row's own cluster,
                 b: to the nearest other one                               (Rousseeuw, 1987)
    stability  = mean over draws of the ARI of the clusters of a draw and those of all rows, on the
                 rows of the draw, which are a share of the originals without replacement

The rule: of the numbers whose stability is at least `stable`, the one with the largest silhouette;
where none is so stable, the one with the largest stability, and that is said. Ties: the smaller k.

Rows without clusters are the same rows with each component shuffled by itself: their spread along
each direction is kept, and what goes together is not (the reference of the gap statistic,
Tibshirani, Walther and Hastie, 2001). The silhouette of the chosen number is compared with the
largest of these rows over all numbers, so that the choice is paid for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saegrid.evidence import exchange
from saegrid.evidence.clusters.agreement import pair
from saegrid.evidence.clusters.method import NOWHERE, Method, number_of, numbered

SHARE = 0.8
"""Share of the originals in a draw."""
MOST_ROWS = 1000
"""Rows of a draw, of a silhouette and of shuffled rows at most, drawn by seed where there are more:
the time of all draws does not grow with the corpus."""


class Rules(NamedTuple):
    """Settings of a clustering."""

    method: Method
    k: int | None = None
    """Number of clusters; None: by the rule."""
    ks: Sequence[int] = tuple(range(2, 13))
    """Numbers from which the rule chooses."""
    least: int = 5
    """Rows of the smallest cluster, where the method finds the number."""
    draws: int = 50
    """Draws of the stability."""
    nulls: int = 20
    """Shuffles of the rows."""
    stable: float = 0.6
    seed: int = 42


class Try(NamedTuple):
    """A clustering with one number of clusters."""

    k: int
    """Number of clusters that came out."""
    labels: np.ndarray
    """(row,) int64, -1 in none."""
    silhouette: float
    """NaN where there are less than two clusters."""
    stability: float
    stability_low: float
    """5th percentile of the draws' ARI."""
    silhouette_null: float
    """Mean over shuffles of the rows."""


class Chosen(NamedTuple):
    """A clustering by the rule."""

    best: Try
    tries: list[Try]
    is_stable: bool
    p: float
    """(1 + shuffles whose largest silhouette over all numbers is as large) / (1 + shuffles)."""
    stability_null: float
    """Stability of the first shuffle with the same number, by the same draws."""


def choose(rows: np.ndarray, original: np.ndarray, rules: Rules) -> Chosen:
    """Cluster rows (row, component), with a number of clusters by the rule.

    original: (row,) what each is an edit or a sample of; whole ones are drawn.
    """
    most = min(len(np.unique(rows, axis=0)), len(rows) - 1)
    ks = [rules.k] if rules.k else [k for k in rules.ks if k <= most] or [most]
    ks = ks if rules.method.counted else [0]
    drawn = subsamples(original, rules)
    shuffled = [_shuffled(rows, number, rules.seed) for number in range(rules.nulls)]
    null = np.array([[_scored(one, k, rules) for k in ks] for one in shuffled])
    means = _mean(null) if len(null) else np.full(len(ks), np.nan)
    tries = [_try(rows, k, drawn, rules, float(mean)) for k, mean in zip(ks, means, strict=True)]
    place, is_stable = _best(tries, rules.stable)
    best = tries[place]
    apart = drawn if len(rows) <= MOST_ROWS else subsamples(np.arange(MOST_ROWS), rules)
    empty = [_try(one, ks[place], apart, rules, np.nan).stability for one in shuffled[:1]]
    largest = np.nan_to_num(null, nan=-1.0).max(axis=1) if len(null) else np.zeros(0)
    own = best.silhouette if np.isfinite(best.silhouette) else -1.0
    p = (1 + int((largest >= own - 1e-12).sum())) / (1 + len(largest))
    return Chosen(best, tries, is_stable, p, empty[0] if empty else float("nan"))


def _try(rows: np.ndarray, k: int, draws: Sequence[np.ndarray], rules: Rules, null: float) -> Try:
    """The clusters of rows with one number."""
    labels = numbered(rules.method.fit(rows, k, rules.least, rules.seed))
    values = stability(rows, labels, k, draws, rules)
    score = silhouette(rows, labels, rules.seed)
    low = float(np.percentile(values, 5))
    return Try(number_of(labels), labels, score, float(values.mean()), low, null)


def _best(tries: Sequence[Try], stable: float) -> tuple[int, bool]:
    """The place of the try of the rule, and True where it is stable."""
    places = range(len(tries))
    able = [i for i in places if tries[i].stability >= stable and np.isfinite(tries[i].silhouette)]
    if able:
        return max(able, key=lambda i: (tries[i].silhouette, -tries[i].k)), True
    return max(places, key=lambda i: (tries[i].stability, -tries[i].k)), False


def _mean(null: np.ndarray) -> np.ndarray:
    """(number,) means over shuffles, those without a silhouette left out; NaN where all are."""
    known = np.isfinite(null)
    count = known.sum(axis=0)
    total = np.where(known, null, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def subsamples(original: np.ndarray, rules: Rules) -> list[np.ndarray]:
    """Rows of each draw, ascending: a share of the originals, whole."""
    names, number = np.unique(original, return_inverse=True)
    rng = exchange.generator(rules.seed, "clusters subsamples")
    share = min(SHARE, MOST_ROWS / max(len(original), 1))
    size = max(1, round(share * len(names)))
    draws = []
    for _ in range(rules.draws):
        inside = np.zeros(len(names), bool)
        inside[rng.permutation(len(names))[:size]] = True
        draws.append(np.flatnonzero(inside[number]))
    return draws


def stability(
    rows: np.ndarray, labels: np.ndarray, k: int, draws: Sequence[np.ndarray], rules: Rules
) -> np.ndarray:
    """(draw,) ARI of the clusters of each draw with those of all rows."""
    return np.array(
        [
            pair(
                labels[drawn],
                rules.method.fit(rows[drawn], min(k, len(drawn)), rules.least, rules.seed),
            )
            for drawn in draws
        ]
    )


def silhouette(rows: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """The mean silhouette of the rows that are in a cluster; NaN where there are less than two
    clusters, or as many as rows."""
    from sklearn.metrics import silhouette_score

    inside = np.flatnonzero(labels != NOWHERE)
    if len(inside) > MOST_ROWS:
        rng = exchange.generator(seed, "clusters silhouette")
        inside = np.sort(rng.permutation(inside)[:MOST_ROWS])
    own = labels[inside]
    if not 2 <= len(np.unique(own)) < len(own):
        return float("nan")
    return float(silhouette_score(rows[inside], own))


def _shuffled(rows: np.ndarray, number: int, seed: int) -> np.ndarray:
    """The rows with each component shuffled by itself, at most `MOST_ROWS` of them."""
    rng = exchange.generator(seed, f"clusters null {number}")
    return np.ascontiguousarray(rng.permuted(rows, axis=0)[:MOST_ROWS])


def _scored(rows: np.ndarray, k: int, rules: Rules) -> float:
    """The silhouette of rows by k clusters."""
    return silhouette(rows, rules.method.fit(rows, k, rules.least, rules.seed), rules.seed)
