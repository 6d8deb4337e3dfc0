"""False discovery rates by Benjamini and Hochberg, and their level where nothing is to be found."""

import numpy as np
import pytest
from scipy import stats

from saegrid.meaning import enrichment
from saegrid.meaning.discovery import Chance, chance, expected, rates


def test_few_features_by_chance_are_a_poisson_laws():
    """A family-wise p of .05 is .051 features on average."""
    of = Chance(np.array([-5.0] * 4 + [-1.0] * 95), np.array([-1.0]), 1)
    assert expected(np.array([-6.0, -5.0, -2.0]), of) == pytest.approx(
        -np.log([1 - 0.01, 1 - 0.05, 1 - 0.05])
    )


def test_many_features_by_chance_are_counted():
    of = Chance(np.full(19, -5.0), np.sort(np.repeat([-4.0, -2.0], [6, 40])), 2)
    assert expected(np.array([-4.0, -2.0]), of).tolist() == pytest.approx([3, 23])


def test_features_that_reach_a_p_together_are_more_than_a_poisson_laws():
    """Twins, of the same words: half of the dealt lexicons bring two of a p that a fifth of the
    family-wise ones has."""
    of = Chance(np.array([-5.0, -1.0, -1.0, -1.0]), np.array([-5.0, -5.0, -1.0, -1.0]), 2)
    assert expected(np.array([-5.0]), of) == pytest.approx([1.0])
    assert -np.log(1 - enrichment.adjusted(-5.0, of.smallest)) == pytest.approx(0.51, abs=0.01)


def test_chance_is_counted_where_features_share_their_words():
    """Each of 20 features stands 8 times: F is the mean number under other dealt lexicons."""
    feature, type_, value = drawn(7, features=20)
    several = np.concatenate([feature + 20 * k for k in range(8)])
    of = enrichment.ranked(several, np.tile(type_, 8), np.tile(value, 8))
    member = np.random.default_rng(8).random((80, 5)) < 0.2
    law = enrichment.tails(80, member.sum(axis=0))
    null = chance(of, member, law, enrichment.deals(80, 199, 0))
    dealt = enrichment.deals(80, 300, 9)
    fresh = np.array([enrichment.enrichment(of, member[d], law).log10_p.min(axis=1) for d in dealt])
    at = np.quantile(fresh.min(axis=1), [0.4, 0.6, 0.8])
    mean = (fresh[:, :, None] <= at + enrichment.EVEN).sum(axis=1).mean(axis=0)
    assert expected(at, null) == pytest.approx(mean, rel=0.3)


def test_rates_are_those_of_benjamini_and_hochberg():
    """Rates are scipy's where F is n times an exact p, spread over concepts."""
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.random(40) ** 4, rng.random(60)])
    log = np.log10(p)
    # 1,000 dealt lexicons of 100 features each, of which p is the law.
    every = np.sort(np.log10((np.arange(100_000) + 0.5) / 100_000))
    of = Chance(np.full(9, -9.0), every, 1_000)
    got = rates(np.stack([log, np.maximum(log, -0.1)], axis=1), of)
    # Below 2.3 features F is not counted but Poisson's limit: compare above it.
    some = p > 0.05
    assert got[some, 0] == pytest.approx(stats.false_discovery_control(p)[some], abs=2e-3)
    assert (got[:, 1] >= got[:, 0]).all() and got.max() <= 1


def test_no_features_have_no_rates():
    assert rates(np.zeros((0, 3)), Chance(np.zeros(9), np.zeros(0), 4)).shape == (0, 3)


def drawn(seed, features=60, types=80):
    """Occurrences of features: feature, type and activation of each."""
    rng = np.random.default_rng(seed)
    feature = np.repeat(np.arange(features), rng.integers(1, 90, features))
    return feature, rng.integers(0, types, len(feature)), rng.random(len(feature))


def test_minima_of_features_are_those_of_the_enrichment():
    """Minima under each dealt lexicon; the smallest is that of the family-wise p."""
    of = enrichment.ranked(*drawn(5))
    member = np.random.default_rng(6).random((80, 5)) < 0.2
    law = enrichment.tails(80, member.sum(axis=0))
    dealt = enrichment.deals(80, 7, 1)
    each = enrichment.smallest(of, member, law, dealt)
    assert each.shape == (7, 60)
    assert np.array_equal(each.min(axis=1), enrichment.null(of, member, law, dealt))
    for types, own in zip(dealt, each, strict=True):
        expected_ = enrichment.enrichment(of, member[types], law).log10_p.min(axis=1)
        assert own == pytest.approx(expected_, abs=1e-8)


@pytest.mark.slow
def test_under_dealt_lexicons_one_cell_in_twenty_has_a_discovery():
    """Dealt lexicons as data, each against others: nothing is to be found."""
    of = enrichment.ranked(*drawn(3))
    member = np.random.default_rng(4).random((80, 6)) < [0.02, 0.05, 0.1, 0.1, 0.3, 0.6]
    member[0] = True
    law = enrichment.tails(80, member.sum(axis=0))
    found = []
    for seed in range(200):
        deals = enrichment.deals(80, 100, seed)
        null = chance(of, member, law, deals[1:])
        log = enrichment.enrichment(of, member[deals[0]], law).log10_p
        found.append((rates(log, null) <= 0.05).any())
    assert np.mean(found) < 0.09
