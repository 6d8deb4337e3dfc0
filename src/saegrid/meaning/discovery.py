"""False discovery rate of concepts: of the features that are as enriched, the share by chance.

Where R features have a log10 p as small as some t with one of their concepts, and F would under
dealt lexicons, q(t) is F / R, and the smallest such number of all larger t (Benjamini and Hochberg,
1995). Where no word had a concept at all, q <= .05 of any feature would be as rare as a family-wise
p <= .05: alone the evidence counts that other features of a cell have concepts too.

F is counted on all features under a few dealt lexicons. Where these reach t seldom it is at least
-log(1 - p), p the family-wise one: features that do, each by itself, are a Poisson law's. Features
share words, so that they reach t together, and are more than that law says of the same p.
"""

from typing import NamedTuple

import numpy as np

from saegrid.meaning import enrichment
from saegrid.meaning.enrichment import EVEN, Ranked, Tails

SELDOM = 0.9
"""Family-wise p up to which F is at least that of the Poisson law."""
COUNTED = 20
"""Dealt lexicons under which all features are counted."""


class Chance(NamedTuple):
    """The smallest p of features under dealt lexicons."""

    smallest: np.ndarray
    """(permutation,) float64 smallest log10 p over features and concepts."""
    every: np.ndarray
    """(entry,) float64 smallest log10 p over concepts of each feature under each of the `counted`
    dealt lexicons, ascending."""
    counted: int


def chance(of: Ranked, member: np.ndarray, law: Tails, dealt: np.ndarray) -> Chance:
    """Features under dealt lexicons. member, law, dealt: see `enrichment.null`."""
    every = enrichment.smallest(of, member, law, dealt[:COUNTED])
    return Chance(enrichment.null(of, member, law, dealt), np.sort(every, axis=None), len(every))


def expected(log10_p: np.ndarray, of: Chance) -> np.ndarray:
    """F: the features that chance brings to each log10 p."""
    p = enrichment.adjusted(log10_p, of.smallest)
    few = -np.log1p(-np.minimum(p, SELDOM))
    reached = np.searchsorted(of.every, log10_p + EVEN, side="right") / max(of.counted, 1)
    return np.maximum(reached, few)


def rates(log10_p: np.ndarray, of: Chance) -> np.ndarray:
    """(row, concept) float64 q of each feature and concept, at most 1. log10_p: (row, concept)."""
    if not log10_p.size:
        return np.ones(log10_p.shape)
    best = np.sort(log10_p.min(axis=1))
    rate = np.minimum(expected(best, of) / np.arange(1, len(best) + 1), 1.0)
    q = np.append(np.minimum.accumulate(rate[::-1])[::-1], 1.0)
    return q[np.searchsorted(best, log10_p - EVEN)]
