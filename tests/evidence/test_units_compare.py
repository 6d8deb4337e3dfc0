"""Tests of units one by one: figures by name, scipy, and data in which nothing differs."""

import numpy as np
import pytest
from scipy import sparse, stats

from saegrid.evidence.contrast import Unusable
from saegrid.evidence.units import chance, columns, compare, power
from saegrid.evidence.units.histograms import histograms

X, Y = [1, 2, 3, 4, 5, 9], [0, 0, 0, 1, 2]
BOTH = np.array([[*X, *Y]], float).T
IN_A = (np.arange(11) < 6) * 1.0


def drawn(seed=0, n=312, n_a=161, units=40):
    """Codes, dense numbers, and labels of words that differ in nothing."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.05, 0.9, units)
    codes = rng.exponential(1, (n, units)) * (rng.random((n, units)) < rate)
    dense = rng.normal(rng.normal(0, 30, units), rng.uniform(0.1, 5, units), (n, units))
    return sparse.csc_matrix(codes), dense, rng.permutation((np.arange(n) < n_a) * 1.0)


@pytest.mark.parametrize("matrix", [BOTH, sparse.csc_matrix(BOTH)])
def test_welch_by_known_numbers(matrix):
    of = compare.compare(matrix, IN_A, np.arange(11), 50, 0)
    assert of.t[0] == pytest.approx(2.782278, abs=1e-6)
    assert of.df[0] == pytest.approx(6.161100, abs=1e-6)
    assert of.p_welch[0] == pytest.approx(0.0310263, abs=1e-7)
    assert of.auroc[0] == pytest.approx(28 / 30)


def test_small_p_are_tails_and_no_differences_from_one():
    a = compare.classical.Moments(151, np.array([10.0]), np.array([75.5]))
    b = compare.classical.Moments(151, np.array([0.0]), np.array([75.5]))
    one = compare.classical.welch_of(a, b)
    assert one.t[0] == pytest.approx(10) and one.df[0] == pytest.approx(300)
    assert one.p[0] == pytest.approx(1.6559e-20, rel=1e-4)


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_matrix])
def test_constant_units_have_p_one_and_are_listed(form):
    matrix = form(np.column_stack([np.zeros(11), np.full(11, 0.1), BOTH]))
    of = compare.compare(matrix, IN_A, np.arange(11), 50, 0)
    assert of.constant.tolist() == [True, True, False]
    for name in ("p_welch", "p", "p_maxt", "p_rank"):
        assert getattr(of, name)[:2].tolist() == [1, 1], name
    assert of.auroc[:2].tolist() == [0.5, 0.5] and of.effect[:2].tolist() == [0, 0]
    published = stats.ttest_ind(np.zeros(6), np.zeros(5), equal_var=False)
    assert np.isnan(published.pvalue)


def test_units_that_part_the_classes_without_any_variance_are_no_dead_ones():
    of = compare.compare(sparse.csc_matrix(IN_A[:, None]), IN_A, np.arange(11), 50, 0)
    assert of.t[0] == np.inf and of.p_welch[0] == 0 and not of.constant[0]


@pytest.mark.parametrize("kind", [0, 1])
def test_agrees_with_scipy(kind):
    *matrices, y = drawn()
    matrix = matrices[kind]
    of = compare.compare(matrix, y, np.arange(len(y)), 20, 0)
    whole = matrix.toarray() if kind == 0 else matrix
    a, b = whole[y > 0], whole[y == 0]
    welch = stats.ttest_ind(a, b, equal_var=False)
    np.testing.assert_allclose(of.t, welch.statistic, rtol=1e-10)
    np.testing.assert_allclose(of.df, welch.df, rtol=1e-10)
    np.testing.assert_allclose(of.p_welch, welch.pvalue, rtol=1e-9)
    rank = stats.mannwhitneyu(a, b, method="asymptotic")
    np.testing.assert_allclose(of.p_rank, rank.pvalue, rtol=1e-9)
    np.testing.assert_allclose(of.auroc, rank.statistic / (len(a) * len(b)), rtol=1e-12)
    pooled = np.sqrt(((len(a) - 1) * a.var(0, ddof=1) + (len(b) - 1) * b.var(0, ddof=1)) / 310)
    np.testing.assert_allclose(
        of.effect, (a.mean(0) - b.mean(0)) / pooled * (1 - 3 / (4 * 312 - 9)), rtol=1e-10
    )
    if kind == 1:
        assert np.isnan(of.p_firing).all()
        return
    for unit in range(5):
        k, of_a, n = int((a[:, unit] > 0).sum()), int((whole[:, unit] > 0).sum()), len(y)
        law = stats.hypergeom(n, of_a, len(a))
        tails = law.cdf(k) - law.pmf(k) / 2, law.sf(k - 1) - law.pmf(k) / 2
        assert of.p_firing[unit] == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)


def test_exchange_agrees_with_scipys_permutation_test():
    codes, _, y = drawn(3)
    y[:40] = (codes[:, 0].toarray().ravel()[:40] > 0) * 1.0
    of = compare.compare(codes[:, :3], y, np.arange(len(y)), 4000, 0)
    whole = codes.toarray()
    for unit in range(3):
        theirs = stats.permutation_test(
            (whole[y > 0, unit], whole[y == 0, unit]),
            lambda a, b, axis: a.mean(axis) - b.mean(axis),
            n_resamples=4000,
            vectorized=True,
            rng=np.random.default_rng(0),
        )
        assert of.p[unit] == pytest.approx(theirs.pvalue, abs=0.03)


def test_whole_word_types_exchange_their_labels():
    type = np.repeat(np.arange(60), 5)
    y = np.repeat(np.arange(60) < 30, 5) * 1.0
    moved = compare.labels(y, type, 30, 0).reshape(60, 5, 31)
    assert (moved == moved[:, :1]).all() and (moved[:, 0].sum(axis=0) == 30).all()
    assert (moved[:, 0, 1:] != moved[:, 0, :1]).any(axis=0).all()
    # Five copies of a word are one word: single texts would be exchanged into a discovery.
    rng, few = np.random.default_rng(0), []
    for _ in range(40):
        unit = np.repeat(rng.normal(size=60), 5)[:, None]
        whole, single = (
            compare.compare(unit, y, one, 200, 0).p[0] for one in (type, np.arange(300))
        )
        few.append((whole < 0.05, single < 0.05))
    assert np.mean(few, axis=0)[0] <= 0.15 < np.mean(few, axis=0)[1]


def test_family_wise_error_holds_and_a_planted_unit_is_seen():
    hits, planted = 0, 0
    for seed in range(60):
        codes, _, y = drawn(seed, n=120, n_a=60)
        of = compare.compare(codes, y, np.arange(120), 200, seed)
        hits += bool((of.p_maxt <= 0.05).any())
        whole = codes.toarray()
        whole[:, 7] += 1.5 * y
        of = compare.compare(sparse.csc_matrix(whole), y, np.arange(120), 200, seed)
        planted += bool(of.p_maxt[7] <= 0.05)
    assert hits <= 8  # 60 data sets at .05: more than 8 in one of 200 times
    assert planted >= 50


def test_counts_and_what_chance_gives():
    assert chance.confidence(16384, compare.ALPHA) == pytest.approx(0.848877, abs=1e-6)
    assert chance.confidence(1024, compare.ALPHA) == pytest.approx(0.98981, abs=1e-5)
    assert chance.expected(1024, 1e-5) == pytest.approx(0.0102, abs=1e-4)
    assert chance.expected(16384, 1e-5) == pytest.approx(0.1638, abs=1e-4)
    assert chance.at_least_two(16384, 1e-5) == pytest.approx(0.0120, abs=5e-5)
    assert chance.at_least_two(16384, 1e-5) == pytest.approx(
        float(stats.binom.sf(1, 16384, 1e-5)), rel=1e-6
    )
    assert chance.at_least_one(5, 0.5) == pytest.approx(1 - 0.5**5)
    codes, _, y = drawn()
    rows = {
        (one.test, one.rule): one
        for one in compare.counts(compare.compare(codes, y, np.arange(312), 50, 0))
    }
    assert rows["welch", "alpha"].expected == pytest.approx(40 * compare.ALPHA)
    assert rows["exchange", "max-T"].expected == 0.05 and rows["firing", "bh"].expected is None
    assert compare.ALPHA == 9.99999999995449e-06


def test_shortlist_begins_with_significant_units():
    _, dense, y = drawn()
    dense[:, 5] += 3 * y * dense[:, 5].std()
    dense[:, 9] = 1.0
    of = compare.compare(dense, y, np.arange(312), 200, 0)
    listed = compare.shortlist(of, 6)
    assert listed[0] == 5 and len(listed) == 6 and 9 not in compare.shortlist(of, 40)


def test_a_unit_on_two_percent_of_312_words_cannot_reach_the_published_level():
    six = np.array([round(0.02 * 312)])
    assert power.least_p(six, 161, 151)[0] > 1e-3
    # Brute force: no placement and no values of so few firings give less.
    rng, least = np.random.default_rng(0), 1.0
    for _ in range(300):
        unit = np.zeros((312, 1))
        k_a = rng.integers(0, 7)
        unit[:k_a, 0] = rng.choice([1.0, rng.exponential()], k_a)
        unit[161 : 161 + 6 - k_a, 0] = rng.exponential(1, 6 - k_a)
        a, b = (columns.moments(unit, one) for one in (np.arange(312) < 161, np.arange(312) >= 161))
        least = min(least, compare.classical.welch_of(a, b).p[0])
    assert power.least_p(six, 161, 151)[0] == pytest.approx(
        min(least, power.least_p(six, 161, 151)[0])
    )
    drawn_power = power.simulated(161, 151, 1e-5, 500, 0, (0.02, 0.3), (0.5, 1.0))
    of = {(one.density, one.purity, one.test): one.power for one in drawn_power}
    assert of[0.02, 1.0, "welch"] == 0 and of[0.3, 1.0, "welch"] > 0.9
    assert of[0.3, 0.5, "welch"] < 0.01 and of[0.02, 1.0, "firing"] == 0


def test_least_fires_is_where_the_level_is_crossed():
    k = power.least_fires(161, 151)
    p = power.least_p(np.array([k - 1, k]), 161, 151)
    assert p[0] >= compare.ALPHA > p[1]
    assert power.least_p(np.array([0, 151, 200]), 161, 151).tolist() == [1, 0, 0]
    unit = np.zeros((312, 1))
    unit[161 : 161 + k] = 1.0
    in_a = np.arange(312) < 161
    a, b = (columns.moments(unit, one) for one in (in_a, ~in_a))
    assert compare.classical.welch_of(a, b).p[0] == pytest.approx(p[1], rel=1e-9)


def test_histograms_count_every_unit_once():
    p = np.array([0.0, 0.0005, 0.001, 0.0099, 0.01, 0.5, 1.0, 1.0, np.nan])
    constant = np.array([False] * 7 + [True, False])
    small, whole = histograms(p, constant)
    assert small.counts.tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1] and small.units == 7
    assert whole.counts.sum() == 7 and whole.counts[[0, 10, 19]].tolist() == [5, 1, 1]
    assert small.expected == pytest.approx(0.007) and whole.expected == pytest.approx(7 / 20)


def test_a_class_of_one_word_is_refused_in_a_sentence():
    y = (np.arange(20) == 3) * 1.0
    with pytest.raises(Unusable, match=r"the second class has 1 word, .* Name a class"):
        compare.compare(np.zeros((20, 2)), y, np.arange(20), 10, 0)
    with pytest.raises(ValueError, match="codes are not negative"):
        columns.lifted(sparse.csc_matrix(np.array([[-1.0], [0.0]])))
