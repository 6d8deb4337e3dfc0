"""Tests of each unit between two classes of texts: as they were published, and calibrated ones.

Published (SAE against MLP on 312 words): Welch's t, significant where p < 1 - .99999. It takes
texts for independent and columns for nearly normal, which sparse ones are not. Beside it: the
difference of means where the labels of whole word types are exchanged, with the largest statistic
of all units for a family-wise p (max-T); Mann and Whitney's ranks; Fisher's test of firing.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.evidence import classical, exchange, maxima
from saegrid.evidence.multiplicity import adjusted
from saegrid.evidence.probes.selection import Matrix
from saegrid.evidence.units import columns

ALPHA = 1 - 0.99999
"""The published level; 9.99999999995449e-06 in binary."""
LEVEL = 0.05
"""Level of family-wise p and of false discovery rates."""


class Compared(NamedTuple):
    """The tests of all units; each (unit,)."""

    mean_a: np.ndarray
    """Mean over the texts of the class y = 1."""
    mean_b: np.ndarray
    effect: np.ndarray
    """Hedges' g; 0 of constant units."""
    density: np.ndarray
    """Share of texts with another value than 0."""
    constant: np.ndarray
    """bool: one value on all texts. Its p are 1, where 0 / 0 was published as NaN."""
    t: np.ndarray
    df: np.ndarray
    p_welch: np.ndarray
    statistic: np.ndarray
    """Difference of means in units of its deviation over all exchanges."""
    p: np.ndarray
    """Two-sided p of the unit alone over the exchanges, see `maxima.single`."""
    p_maxt: np.ndarray
    """Family-wise p over the units of the matrix."""
    auroc: np.ndarray
    p_rank: np.ndarray
    """Mann and Whitney's."""
    p_firing: np.ndarray
    """Fisher's mid-p of firing; NaN of dense columns, which always fire."""


def compare(
    matrix: Matrix, y: np.ndarray, type: np.ndarray, permutations: int, seed: int
) -> Compared:
    """Test each unit.

    matrix: (text, unit) numbers, sparse ones not negative; y: (text,) 1 and 0; type: (text,) word
    types, whose labels are exchanged whole. The same y, type, permutations and seed exchange the
    same labels for every matrix. Unusable where a class has fewer than two word types.
    """
    columns.check(y, type)
    in_a = y > 0
    a, b = columns.moments(matrix, in_a), columns.moments(matrix, ~in_a)
    constant = ~columns.varies(matrix)
    welch = classical.welch_of(a, b)
    tested = maxima.z_test(columns.by_unit(matrix), labels(y, type, permutations, seed))
    ranked = classical.mann_whitney(classical.ranks(columns.lifted(matrix)), in_a)
    family = maxima.adjusted(tested.statistic, tested.maxima)
    return Compared(
        a.mean,
        b.mean,
        hedges(a, b),
        columns.density(matrix),
        constant,
        np.where(constant, 0.0, welch.t),
        welch.df,
        np.where(constant, 1.0, welch.p),
        tested.statistic,
        np.where(constant, 1.0, tested.p),
        np.where(constant, 1.0, family),
        np.where(constant, 0.5, ranked.auroc),
        ranked.p,
        _firing(matrix, in_a),
    )


def labels(y: np.ndarray, type: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """(text, permutation + 1) float32 labels, those of whole word types exchanged between types
    with as many texts; column 0 the data."""
    rng = exchange.generator(seed, "labels of units")
    return y.astype(np.float32)[exchange.exchanged(type, permutations, rng)]


def hedges(a: classical.Moments, b: classical.Moments) -> np.ndarray:
    """(unit,) Hedges' g: the difference of means over the pooled deviation, times
    1 - 3 / (4 (n_a + n_b) - 9); 0 where nothing varies."""
    df = a.n + b.n - 2
    pooled = np.sqrt(((a.n - 1) * a.variance + (b.n - 1) * b.variance) / df)
    small = 1 - 3 / (4 * (df + 2) - 9)
    apart = a.mean - b.mean
    return np.where(pooled > 0, small * apart / np.where(pooled > 0, pooled, 1), 0.0)


def _firing(matrix: Matrix, in_a: np.ndarray) -> np.ndarray:
    if not sparse.issparse(matrix):
        return np.full(matrix.shape[1], np.nan)
    rows = (matrix != 0).tocsr()
    fire = [np.asarray(rows[one].sum(axis=0)).ravel().astype(np.int64) for one in (in_a, ~in_a)]
    n_a = int(in_a.sum())
    return classical.fisher_mid_p(fire[0], n_a, fire[1], len(in_a) - n_a)


TESTS = {
    "welch": ("p_welch", "Welch's t test, as published"),
    "exchange": ("p", "difference of means, labels of whole word types exchanged"),
    "rank": ("p_rank", "Mann and Whitney's test of ranks, ties averaged"),
    "firing": ("p_firing", "Fisher's exact test of firing, mid-p"),
}
"""Tests by name: the field of `Compared`, and words."""


class Count(NamedTuple):
    """Units that a rule calls significant."""

    test: str
    rule: str
    units: int
    expected: float | None
    """Units that the rule would call so where nothing differs; None where it only bounds a rate."""


def counts(of: Compared, alpha: float = ALPHA, level: float = LEVEL) -> list[Count]:
    """Numbers of significant units by each test and rule.

    Rules: `alpha` p < alpha; `bonferroni` p < level / units; `bh` Benjamini and Hochberg's rate at
    most level; `max-T` family-wise p at most level. All units count, constant ones too.
    """
    out, n = [], len(of.p_welch)
    for test, (name, _) in TESTS.items():
        p = getattr(of, name)
        if np.isnan(p).all():
            continue
        out.append(Count(test, "alpha", int((p < alpha).sum()), n * alpha))
        out.append(Count(test, "bonferroni", int((p < level / n).sum()), level))
        out.append(Count(test, "bh", int((adjusted(p) <= level).sum()), None))
    out.append(Count("exchange", "max-T", int((of.p_maxt <= level).sum()), level))
    return out


def shortlist(of: Compared, most: int, alpha: float = ALPHA, level: float = LEVEL) -> np.ndarray:
    """(unit,) units that a list shows, strongest first: at most `most` of those that are
    significant as published or by max-T; where these are fewer, the strongest others follow."""
    chosen = (of.p_welch < alpha) | (of.p_maxt <= level)
    strength = np.where(of.constant, -1.0, np.abs(of.statistic))
    order = np.lexsort((np.arange(len(strength)), -strength, ~chosen))
    return order[: min(most, int((~of.constant).sum()))]
