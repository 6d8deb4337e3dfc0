"""Synthetic cells of edits of originals, whose labels and firing have something in common inside
an original, and what a test finds in data sets in which there is nothing to find."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import norm
from scipy.stats import t as student

from saegrid.evidence import contrast, discovery, maxima
from saegrid.evidence.discovery import Bases, Question, Sides
from saegrid.evidence.texts import CONTEXT_TOKEN, EDIT_TOKEN, EDITED, ORIGINAL, TEXT, Texts, View

PLAN = {
    "label": "grade",
    "high": 1.4,
    "low": 0.4,
    "same_high": 1.2,
    "same_low": 0.6,
    "classes": [],
}
"""What contrasts read of a plan."""


def clusters(rng: np.random.Generator, n: int) -> np.ndarray:
    """(text,) n clusters of one to five texts, in any order."""
    return rng.permutation(np.repeat(np.arange(n), rng.integers(1, 6, n))).astype(np.int32)


def inside(rng: np.random.Generator, cluster: np.ndarray, share: float) -> np.ndarray:
    """(text,) standard normal numbers of which a share of the variance is the cluster's."""
    own = rng.standard_normal(len(cluster)) * np.sqrt(1 - share)
    return own + (rng.standard_normal(cluster.max() + 1) * np.sqrt(share))[cluster]


def texts_of(cluster: np.ndarray, labels: Mapping[str, Any], paired: bool = True) -> Texts:
    """Texts without tokens, all present in every view."""
    n = len(cluster)
    empty = View(np.zeros(0, np.int32), np.zeros(0, np.int64), np.ones(n, bool))
    names = (EDITED, ORIGINAL, EDIT_TOKEN, CONTEXT_TOKEN) if paired else (TEXT,)
    return Texts(labels, cluster, dict.fromkeys(names, empty), {})


def grades(rng: np.random.Generator, cluster: np.ndarray, share: float = 0.3) -> np.ndarray:
    """(text,) grades from 0 to 3 in steps of .2, a share of their variance the cluster's."""
    return np.round(np.clip(0.9 + 0.6 * inside(rng, cluster, share), 0, 3) * 5) / 5


def codes(
    rng: np.random.Generator,
    cluster: np.ndarray,
    n_features: int,
    share: float = 0.3,
    least: float = 0.005,
    drive: np.ndarray | None = None,
) -> sparse.csc_matrix:
    """(text, feature) activations that fire on a share of the texts from `least` to .3.

    drive: (text,) a number that some features follow, upwards or downwards.
    """
    rates = np.geomspace(least, 0.3, n_features)
    columns = []
    for rate in rates:
        level = inside(rng, cluster, share)
        if drive is not None:
            slope = rng.choice([-0.7, 0, 0.7])
            level = (level + slope * drive) / np.sqrt(1 + slope**2)
        columns.append(np.where(level > norm.isf(rate), np.exp(level), 0))
    return sparse.csc_matrix(np.column_stack(columns).astype(np.float32))


def sides(matrix: sparse.csc_matrix, design: contrast.Design, other: Any = None) -> Sides:
    """The activations of a contrast on the texts of its design."""
    a = matrix[design.item]
    a.sort_indices()
    if not design.other:
        return Sides(a, None)
    b = other[design.item]
    b.sort_indices()
    return Sides(a, b)


def asked(
    name: str,
    texts: Texts,
    permutations: int,
    seed: int = 0,
    bases: Bases | None = None,
    plan: Mapping[str, Any] = PLAN,
) -> Question:
    """A contrast on all of the texts."""
    kind, column = contrast.read(name)
    plan = {**plan, "label": column or plan["label"]}
    design = kind.design(texts, np.ones(texts.n, bool), plan)
    return discovery.question(name, design, bases or Bases(), permutations, seed, "discovery")


def kept(chosen: Sides, least: int = 10) -> Sides:
    """The features that fire on enough texts."""
    return chosen.of(np.flatnonzero(chosen.active() >= least))


def null_columns(
    question: Question, chosen: Sides, nulls: int, variant: str = "", seed: int = 999
) -> Iterator[np.ndarray]:
    """(feature, null) statistics of data sets with exchanged labels, by an independent matrix of
    permutations; some features at a time."""
    design = question.design
    other = discovery.question("null", design, question.bases, nulls, seed, "nulls")
    for start in range(0, chosen.a.shape[1], 500):
        few = chosen.of(np.arange(start, min(start + 500, chosen.a.shape[1])))
        yield discovery.columns_of(other, few, variant)[:, 1:]


def null_maxima(
    question: Question, chosen: Sides, nulls: int, variant: str = "", seed: int = 999
) -> np.ndarray:
    """(null,) the largest absolute statistic of each data set with exchanged labels."""
    parts = null_columns(question, chosen, nulls, variant, seed)
    return np.max([np.abs(part).max(axis=0) for part in parts], axis=0)


def family_wise(
    question: Question, chosen: Sides, nulls: int, variant: str = "", alpha: float = 0.05
) -> float:
    """Share of data sets with exchanged labels in which anything is discovered."""
    tested = discovery._variants(question, chosen)[variant]
    found = null_maxima(question, chosen, nulls, variant) >= maxima.threshold(tested.maxima, alpha)
    return float(found.mean())


def per_text(question: Question) -> Question:
    """The same contrast, with every text a cluster of its own."""
    alone = question.design._replace(cluster=np.arange(len(question.design.item)))
    permutations = question.moved.shape[1] - 1
    return discovery.question(question.name, alone, Bases(), permutations, 1, "alone")


def two_sided(statistic: np.ndarray) -> np.ndarray:
    """Normal p of statistics."""
    return 2 * norm.sf(np.abs(statistic))


def by_formula(
    question: Question, chosen: Sides, nulls: int, alpha: float = 0.05, seed: int = 999
) -> dict[str, float]:
    """Share of data sets with exchanged labels of two classes in which Bonferroni's correction of
    Welch's test, or of the pooled test of two rates, finds anything."""
    design = question.design
    other = discovery.question("null", design, Bases(), nulls, seed, "nulls")
    firing = chosen.firing()
    a, b = (np.asarray(firing @ side[:, 1:], np.float64) for side in other.classes())
    n_a, n_b = design.n_a, design.n_b
    rate_a, rate_b, rate = a / n_a, b / n_b, (a + b) / (n_a + n_b)
    pooled = rate * (1 - rate) * (1 / n_a + 1 / n_b)
    z = (rate_a - rate_b) / np.sqrt(np.maximum(pooled, 1e-12))
    var_a = rate_a * (1 - rate_a) / (n_a - 1)
    var_b = rate_b * (1 - rate_b) / (n_b - 1)
    t = (rate_a - rate_b) / np.sqrt(np.maximum(var_a + var_b, 1e-12))
    below = var_a**2 / (n_a - 1) + var_b**2 / (n_b - 1)
    df = (var_a + var_b) ** 2 / np.maximum(below, 1e-30)
    p = {"pooled z": two_sided(z), "Welch": 2 * student.sf(np.abs(t), np.maximum(df, 1))}
    level = alpha / firing.shape[0]
    return {name: float((values.min(axis=0) <= level).mean()) for name, values in p.items()}
