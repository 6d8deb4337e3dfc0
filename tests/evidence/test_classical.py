"""Tests by name: figures of D10 first, then scipy and enumerations by hand."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from scipy import sparse, stats

from saegrid.evidence.classical import (
    average_ranks,
    fisher_mid_p,
    mann_whitney,
    mcnemar_mid_p,
    ranks,
    signed_rank,
    spearman,
    welch,
)

X, Y = [1, 2, 3, 4, 5, 9], [0, 0, 0, 1, 2]
BOTH = sparse.csc_matrix(np.array([[*X, *Y]], np.float32).T)
IN_A = np.arange(11) < 6


def test_welch_by_known_numbers():
    found = welch(BOTH, IN_A)
    assert found.t[0] == pytest.approx(2.782278, abs=1e-6)
    assert found.df[0] == pytest.approx(6.161100, abs=1e-6)
    assert found.p[0] == pytest.approx(0.0310263, abs=1e-7)


def test_mann_whitney_by_known_numbers():
    found = mann_whitney(ranks(BOTH), IN_A)
    assert found.u[0] == 28 and found.auroc[0] == pytest.approx(0.93333, abs=1e-5)


def test_tails_are_no_differences_from_one():
    assert 2 * stats.t.sf(10, 300) == pytest.approx(1.6559e-20, rel=1e-4)
    # Welch's on two groups with t near 10.
    rng = np.random.default_rng(0)
    columns = rng.normal(0, 1, (400, 1)) + (np.arange(400) < 200)[:, None] * 2
    found = welch(sparse.csc_matrix(columns), np.arange(400) < 200)
    assert 0 < found.p[0] < 1e-40


def test_constant_columns_have_p_one():
    columns = sparse.csc_matrix(np.array([[0.0] * 11, [2.0] * 11]).T)
    assert mann_whitney(ranks(columns), IN_A).p.tolist() == [1, 1]
    assert mann_whitney(ranks(columns), IN_A).auroc.tolist() == [0.5, 0.5]
    assert welch(columns, IN_A).p.tolist() == [1, 1]
    assert spearman(ranks(columns), np.arange(11)).tolist() == [0, 0]


def sparse_columns(seed, n=400, levels=6):
    rng = np.random.default_rng(seed)
    rates = [0.005, 0.05, 0.3, 0.9, 1]
    values = rng.integers(1, levels, (n, len(rates)))
    return np.where(rng.random((n, len(rates))) < rates, values, 0).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_sparse_mann_whitney_is_scipys(seed):
    dense = sparse_columns(seed)
    in_a = np.random.default_rng(seed).random(len(dense)) < 0.2
    found = mann_whitney(ranks(sparse.csc_matrix(dense)), in_a)
    exact = dense.astype(float)
    expected = stats.mannwhitneyu(exact[in_a], exact[~in_a], method="asymptotic")
    assert np.allclose(found.u, expected.statistic, rtol=1e-12, atol=0)
    assert np.allclose(found.p, expected.pvalue, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_signed_ranks_of_sparse_pairs_are_scipys(seed):
    dense = sparse_columns(seed) - sparse_columns(seed + 10)
    p = signed_rank(sparse.csc_matrix(dense))
    for column, value in zip(dense.T.astype(float), p, strict=True):
        assert value == pytest.approx(stats.wilcoxon(column, method="approx").pvalue, rel=1e-10)


def test_pairs_without_a_difference_have_p_one():
    assert signed_rank(sparse.csc_matrix(np.zeros((5, 2)))).tolist() == [1, 1]


def test_sparse_welch_is_scipys():
    dense = sparse_columns(7)[:, 1:4]
    in_a = np.arange(len(dense)) < 90
    found = welch(sparse.csc_matrix(dense), in_a)
    expected = stats.ttest_ind(
        dense[in_a].astype(float), dense[~in_a].astype(float), equal_var=False
    )
    assert np.allclose(found.t, expected.statistic, rtol=1e-10)
    assert np.allclose(found.df, expected.df, rtol=1e-10)
    assert np.allclose(found.p, expected.pvalue, rtol=1e-9)


def test_large_activations_lose_nothing_in_squares():
    dense = np.array([[3000.0, 3000.25, 2999.75, 3000.5, 3000, 2999.5]], np.float32).T
    found = welch(sparse.csc_matrix(dense), np.arange(6) < 3)
    expected = stats.ttest_ind(dense[:3].astype(float), dense[3:].astype(float), equal_var=False)
    assert found.t[0] == pytest.approx(expected.statistic[0], rel=1e-4)


def test_sparse_spearman_is_scipys():
    dense = sparse_columns(3)
    score = np.random.default_rng(3).integers(0, 8, len(dense))
    found = spearman(ranks(sparse.csc_matrix(dense)), score)
    for column, rho in zip(dense.T, found, strict=True):
        expected = stats.spearmanr(column, score).statistic if np.ptp(column) else 0
        assert rho == pytest.approx(expected, abs=1e-12)


def test_ranks_are_averages_and_zeros_the_lowest():
    found = ranks(sparse.csc_matrix(np.array([[0, 5, 0, 2, 5, 7]], np.float32).T))
    scores = found.scores.toarray().ravel()
    full = stats.rankdata([0, 5, 0, 2, 5, 7])
    assert np.array_equal(scores, full - full[0])
    assert found.zeros.tolist() == [2] and found.ties.tolist() == [2 * (8 - 2)]


@pytest.mark.parametrize(
    ("fire_a", "n_a", "fire_b", "n_b"), [(3, 5, 1, 6), (0, 4, 2, 5), (2, 4, 2, 4)]
)
def test_fishers_mid_p_by_enumeration(fire_a, n_a, fire_b, n_b):
    n, fires = n_a + n_b, fire_a + fire_b
    counts = [sum(i < fires for i in chosen) for chosen in combinations(range(n), n_a)]
    below = sum(k < fire_a for k in counts) / len(counts)
    equal = sum(k == fire_a for k in counts) / len(counts)
    expected = min(1, 2 * min(below + equal / 2, 1 - below - equal / 2))
    found = fisher_mid_p(np.array([fire_a]), n_a, np.array([fire_b]), n_b)
    assert found[0] == pytest.approx(expected, abs=1e-12)


def test_fishers_and_mcnemars_mid_p_are_those_of_scipys_laws():
    rng = np.random.default_rng(0)
    n_a, n_b = 4_000, 5_652
    fire_a, fire_b = rng.integers(0, 400, 300), rng.integers(0, 500, 300)
    fire_a[:3], fire_b[:3] = (0, 4_000, 2_000), (0, 5_652, 2_900)
    law = stats.hypergeom(n_a + n_b, fire_a + fire_b, n_a)
    half = 0.5 * law.pmf(fire_a)
    expected = 2 * np.minimum(law.cdf(fire_a) - half, law.sf(fire_a) + half)
    p = fisher_mid_p(fire_a, n_a, fire_b, n_b)
    assert p == pytest.approx(np.minimum(1, expected), rel=1e-7, abs=1e-300) and p.min() < 1e-20
    n, least = fire_a + fire_b, np.minimum(fire_a, fire_b)
    law = stats.binom(n, 0.5)
    expected = np.where(n == 0, 1, np.minimum(1, 2 * law.cdf(least) - law.pmf(least)))
    assert mcnemar_mid_p(fire_a, fire_b) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_no_feature_has_no_p():
    none = np.array([], np.int64)
    assert len(fisher_mid_p(none, 5, none, 5)) == len(mcnemar_mid_p(none, none)) == 0


def test_average_ranks_are_scipys():
    for score in (
        [3.0, 1.0, 3.0, 2.0, 3.0],
        [1.0],
        [2.0, 2.0],
        np.random.default_rng(1).random(50),
    ):
        assert np.array_equal(average_ranks(np.array(score)), stats.rankdata(score))


@pytest.mark.parametrize(("only_a", "only_b"), [(5, 1), (0, 4), (3, 3), (0, 0), (2, 7)])
def test_mcnemars_mid_p_by_enumeration(only_a, only_b):
    n = only_a + only_b
    sums = [sum(signs) for signs in product((0, 1), repeat=n)]
    below = sum(s < only_a for s in sums) / len(sums)
    equal = sum(s == only_a for s in sums) / len(sums)
    expected = min(1, 2 * min(below + equal / 2, 1 - below - equal / 2))
    found = mcnemar_mid_p(np.array([only_a]), np.array([only_b]))
    assert found[0] == pytest.approx(expected, abs=1e-12)
    assert sum(comb(n, k) for k in range(n + 1)) == len(sums)


def test_mcnemars_mid_p_is_that_of_statsmodels():
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    exact = tables.mcnemar([[9, 5], [14, 3]], exact=True).pvalue
    found = mcnemar_mid_p(np.array([5]), np.array([14]))[0]
    assert found == pytest.approx(exact - stats.binom.pmf(5, 19, 0.5), abs=1e-12)


def test_sides_change_nothing_but_the_sign():
    dense = sparse_columns(2)
    in_a = np.arange(len(dense)) < 100
    ranked = ranks(sparse.csc_matrix(dense))
    one, other = mann_whitney(ranked, in_a), mann_whitney(ranked, ~in_a)
    assert np.allclose(one.p, other.p) and np.allclose(one.auroc, 1 - other.auroc)
    order = np.random.default_rng(0).permutation(len(dense))
    moved = mann_whitney(ranks(sparse.csc_matrix(dense[order])), in_a[order])
    assert np.array_equal(moved.u, one.u)


def test_a_share_to_a_large_power():
    assert pytest.approx(0.848877, abs=1e-6) == 0.99999**16384
