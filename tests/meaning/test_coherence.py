"""Coherence by all pairs, on planted words, and its level under chance."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from saegrid.meaning.coherence import TYPES, coherence, pearson3
from saegrid.meaning.enrichment import ranked


def space(seed, types=200, dims=12, lacking=20):
    vectors = np.random.default_rng(seed).normal(size=(types, dims)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:lacking] = 0
    return vectors


def features(seed, n=40, types=200):
    rng = np.random.default_rng(seed)
    feature = np.repeat(np.arange(n), rng.integers(2, 60, n))
    return feature, rng.integers(0, types, len(feature)), rng.random(len(feature))


def test_the_mean_is_that_of_all_pairs():
    of, vectors = ranked(*features(1)), space(2)
    got = coherence(of, vectors, 3, seed=0).mean
    for row in range(len(of.feature)):
        types = of.type[of.indptr[row] : of.indptr[row + 1]]
        types = [t for t in types if vectors[t].any()][:TYPES]
        if len(types) < 5:
            assert np.isnan(got[row])
            continue
        pairs = [float(vectors[a] @ vectors[b]) for a, b in combinations(types, 2)]
        assert got[row] == pytest.approx(np.mean(pairs), abs=1e-6)


@pytest.mark.parametrize("skewness", [0.0, 1e-3, 0.2, 1.0, 3.0])
def test_tails_are_scipys(skewness):
    z = np.linspace(-5, 20, 60)
    expected = stats.pearson3.logsf(z, skewness) / np.log(10)
    known = expected > -200
    assert pearson3(z, skewness)[known] == pytest.approx(expected[known], rel=1e-6, abs=1e-9)


def test_planted_words_are_coherent_and_chance_is_not():
    vectors = space(3)
    near = vectors[50] + 0.7 * space(4)[:12]
    near = near + 0.7 * space(5, lacking=0)[:12]
    vectors[60:72] = near / np.linalg.norm(near, axis=1, keepdims=True)
    feature, type_, value = features(6)
    keep = feature != 7
    feature = np.append(feature[keep], np.full(12, 7))
    type_ = np.append(type_[keep], np.arange(60, 72))
    of = ranked(feature, type_, np.append(value[keep], np.ones(12)))
    got = coherence(of, vectors, 199, seed=0)
    assert got.p[7] == 1 / 200 and np.argmax(np.nan_to_num(got.z, nan=-9)) == 7
    assert (np.delete(got.p, 7) > 0.05).all()


def test_a_space_that_has_no_word_says_nothing():
    of = ranked(*features(7))
    got = coherence(of, np.zeros((200, 3), np.float32), 9, seed=0)
    assert np.isnan(got.z).all() and (got.p == 1).all()


def test_the_same_seed_gives_the_same_bytes():
    of, vectors = ranked(*features(8)), space(9)
    first, second = (coherence(of, vectors, 19, seed=4) for _ in range(2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
def test_under_chance_one_study_in_twenty_is_coherent():
    hits = []
    for seed in range(200):
        of = ranked(*features(1000 + seed, n=30))
        hits.append((coherence(of, space(seed), 99, seed=seed).p <= 0.05).any())
    assert 0.02 < np.mean(hits) < 0.09


def test_words_further_apart_than_chance_ever_has_them_have_a_number():
    """The law of dealt means has a lower end, below which its tail is one."""
    vectors = np.eye(60, dtype=np.float32)
    vectors[:6] = vectors[0]  # alike, which makes dealt means skew; the last ones in opposed pairs
    vectors[51:60:2] = -vectors[50:60:2]
    of = ranked(
        np.repeat([0, 1], 6), np.concatenate([np.arange(6), np.arange(50, 56)]), np.ones(12)
    )
    got = coherence(of, vectors, 199, seed=0)
    assert got.mean[1] == pytest.approx(-1 / 5) and np.isfinite(got.z).all()
    assert got.z[1] < got.z[0] and got.p[1] == 1
