"""Enrichment by scipy and by counting, its null by brute force, and its level."""

import numpy as np
import pytest
from scipy import stats

from saegrid.meaning import enrichment
from saegrid.meaning.enrichment import PREFIXES, adjusted, deals, null, ranked, tails


def drawn(seed, features=60, types=80, most=90):
    """Occurrences of features: feature, type and activation of each."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most, features)
    feature = np.repeat(np.arange(features) * 3, counts)
    type_ = rng.integers(0, types, len(feature))
    return feature, type_, rng.integers(1, 40, len(feature)).astype(np.float32)


def concepts(seed, types=80, n=6):
    member = np.random.default_rng(seed).random((types, n)) < [0.02, 0.05, 0.1, 0.1, 0.3, 0.6]
    member[0] = True
    return member


def types_of(feature, type_, value, one):
    """The types of a feature by hand, the strongest first."""
    rows = [(-v, t) for f, t, v in zip(feature, type_, value, strict=True) if f == one]
    return list(dict.fromkeys(t for _, t in sorted(rows)))[: PREFIXES[-1]]


def by_hand(types, member, n_types):
    """Smallest log10 p of each concept over the prefixes, by scipy."""
    best = np.zeros(member.shape[1])
    for stop in PREFIXES:
        n = min(stop, len(types))
        k = member[types[:n]].sum(axis=0)
        p = stats.hypergeom.logsf(k - 1, n_types, member.sum(axis=0), n) / np.log(10)
        best = np.where(k > 0, np.minimum(best, p), best)
    return best


def test_ranked_types_are_those_of_the_strongest_occurrences():
    given = drawn(1)
    found = ranked(*given)
    assert found.feature.tolist() == sorted(set(given[0].tolist()))
    for row, one in enumerate(found.feature):
        own = found.type[found.indptr[row] : found.indptr[row + 1]]
        assert own.tolist() == types_of(*given, one)
    assert ranked(*(column[:0] for column in given)).indptr.tolist() == [0]


def test_the_order_of_occurrences_is_of_no_matter():
    given = drawn(2)
    order = np.random.default_rng(0).permutation(len(given[0]))
    for one, other in zip(ranked(*given), ranked(*(c[order] for c in given)), strict=True):
        assert np.array_equal(one, other)


def test_tails_are_scipys():
    sizes = np.array([1, 7, 7, 50, 400])
    law = tails(3688, sizes)
    n, k = map(np.ravel, np.meshgrid(np.arange(51), np.arange(51), indexing="ij"))
    every = law.of(n, np.repeat(k[:, None], len(sizes), axis=1))
    for ours, size in zip(every.T, sizes, strict=True):
        expected = stats.hypergeom.logsf(k - 1, 3688, size, n) / np.log(10)
        possible = (k <= n) & (k <= size)
        assert np.allclose(ours[possible], expected[possible], rtol=1e-9, atol=1e-9)
        assert np.isneginf(ours[(k > n) | (k > size)]).all()


def test_a_textbook_figure():
    # Four of five types of a concept that 10 of 100 types belong to.
    law = tails(100, np.array([10]))
    ((p,),) = 10 ** law.of(np.array([5]), np.array([[4]]))
    by_formula = (210 * 90 + 252) / 75_287_520
    assert p == pytest.approx(by_formula, rel=1e-10)


@pytest.mark.parametrize("block", [1, 7, 2048])
def test_enrichment_is_scipys_whatever_the_block(block, monkeypatch):
    monkeypatch.setattr(enrichment, "BLOCK", block)
    given, member = drawn(3), concepts(4)
    found = ranked(*given)
    best = enrichment.enrichment(found, member, tails(len(member), member.sum(axis=0)))
    for row, one in enumerate(found.feature):
        types = types_of(*given, one)
        assert best.log10_p[row] == pytest.approx(by_hand(types, member, len(member)), abs=1e-9)
        for concept in range(member.shape[1]):
            n, k = int(best.n[row, concept]), int(best.k[row, concept])
            if n:
                assert n in PREFIXES or n == len(types)
                assert member[types[:n], concept].sum() == k


@pytest.mark.parametrize("block", [5, 2048])
def test_the_null_is_the_smallest_p_under_dealt_lexicons(block, monkeypatch):
    monkeypatch.setattr(enrichment, "BLOCK", block)
    given, member = drawn(5), concepts(6)
    of, law = ranked(*given), tails(80, member.sum(axis=0))
    dealt = deals(80, 7, seed=3)
    expected = [enrichment.enrichment(of, member[types], law).log10_p.min() for types in dealt]
    assert null(of, member, law, dealt) == pytest.approx(expected, abs=1e-12)


def test_deals_are_those_of_the_seed_and_permute_all_types():
    one = deals(30, 4, seed=1)
    assert np.array_equal(one, deals(30, 4, seed=1)) and not np.array_equal(one, deals(30, 4, 2))
    assert (np.sort(one, axis=1) == np.arange(30)).all()


def test_adjusted_p_counts_the_data_among_the_permutations():
    smallest = np.array([-3.0, -5, -4, -2])
    assert adjusted(np.array([-6.0, -4, -1]), smallest).tolist() == [1 / 5, 3 / 5, 1]


def test_a_planted_concept_is_the_best_and_nothing_else_is_significant():
    rng = np.random.default_rng(7)
    member = rng.random((400, 12)) < 0.08
    feature, type_, value = drawn(8, features=40, types=400)
    topic = rng.choice(np.flatnonzero(member[:, 4]), 9, replace=False)
    feature = np.append(feature, np.full(9, 999))
    type_, value = np.append(type_, topic), np.append(value, np.full(9, 50.0))
    of, law = ranked(feature, type_, value), tails(400, member.sum(axis=0))
    best = enrichment.enrichment(of, member, law).log10_p
    p = adjusted(best, null(of, member, law, deals(400, 99, seed=0)))
    assert p[-1, 4] <= 0.01 and best[-1].argmin() == 4
    assert (p[:-1] > 0.05).all()


@pytest.mark.slow
def test_dealt_lexicons_have_the_family_wise_level():
    """The share of 600 lexicons dealt anew that reach the level is about one in twenty."""
    feature, type_, value = drawn(9, features=150, types=300)
    member = np.random.default_rng(1).random((300, 20)) < 0.06
    of, law = ranked(feature, type_, value), tails(300, member.sum(axis=0))
    smallest = null(of, member, law, deals(300, 199, seed=0))
    told = null(of, member, law, deals(300, 600, seed=99))
    rate = (adjusted(told, smallest) <= 0.05).mean()
    assert 0.02 < rate < 0.09
