"""Corrections for many tests: false discovery rates, and the hierarchy of cells."""

from typing import NamedTuple

import numpy as np

TAIL = 0.5
"""p-values above it are taken for those of true nulls (Storey 2002, lambda)."""


def adjusted(p: np.ndarray, method: str = "bh") -> np.ndarray:
    """(test,) adjusted p of Benjamini and Hochberg (bh) or Benjamini and Yekutieli (by)."""
    m = len(p)
    if not m:
        return np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, m + 1)
    factor = np.sum(1 / rank) if method == "by" else 1.0
    # The smallest of all that are no smaller, from the largest down.
    least = np.minimum.accumulate((p[order] * m * factor / rank)[::-1])[::-1]
    q = np.empty(m)
    q[order] = np.minimum(1.0, least)
    return q


def null_share(p: np.ndarray) -> float:
    """Estimated share of true nulls, pi0: share of p above .5, over .5; at most 1."""
    return float(min(1.0, np.mean(p > TAIL) / (1 - TAIL))) if len(p) else 1.0


def simes(p: np.ndarray) -> float:
    """Simes' p of the hypothesis that all nulls are true: min m p_(i) / i."""
    if not len(p):
        return 1.0
    ordered = np.sort(p)
    return float(min(1.0, np.min(ordered * len(p) / np.arange(1, len(p) + 1))))


class Selected(NamedTuple):
    """Families that hold discoveries, and the level within them."""

    families: np.ndarray
    """(family,) bool."""
    level: float
    """Level of Benjamini and Hochberg within selected families: q R / m."""


def hierarchy(family_p: np.ndarray, q: float) -> Selected:
    """Families chosen by Benjamini and Hochberg on their p, with the level that is left within
    (Benjamini and Bogomolov 2014). family_p: (family,), such as Simes' p of each cell."""
    chosen = adjusted(np.asarray(family_p, float)) <= q
    return Selected(chosen, q * int(chosen.sum()) / max(len(chosen), 1))
