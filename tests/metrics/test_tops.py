"""How alike the tokens are at which features are largest."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from saegrid.base.words import Site
from saegrid.metrics.codes import Coder
from saegrid.metrics.measure import measure
from saegrid.metrics.metric import Subject
from saegrid.metrics.tops import NO_TOKENS, TOP, Tops, by_chance, commonest
from saegrid.saes.sae import blocks
from subjects import RNG, X, identity_sae, zero_sae

IDS = RNG(3).integers(0, 9, len(X))


def values_of(sae, x, ids, size=8192):
    coder = Coder(sae)
    subject = Subject(sae, np.zeros(x.shape[1]), coder.reconstruct, Site(0, "R"), ids=ids)
    return measure(subject, coder, (x[a:b] for a, b in blocks(len(x), size))).values


def test_the_commonest_of_each_row():
    assert commonest(np.array([[1, 2, 1, 3], [4, 4, 4, 4], [1, 2, 3, 4]])).tolist() == [
        *(0.5, 1.0, 0.25)
    ]
    assert commonest(np.zeros((0, TOP), int)).tolist() == []


@pytest.mark.parametrize("size", [7, 100, 8192])
def test_the_share_is_that_of_each_features_largest_tokens(size):
    """Against a plain sort of each feature's activations, in any blocks."""
    z = np.concatenate([np.maximum(X, 0), np.maximum(-X, 0)], axis=1)
    shares = []
    for column in z.T:
        top = np.argsort(-column, kind="stable")[:TOP]
        if column[top[-1]] > 0:
            shares.append(Counter(IDS[top]).most_common(1)[0][1] / TOP)
    found = values_of(identity_sae(16), X, IDS, size)["top_token_share"]
    assert (found.value, found.n) == (pytest.approx(np.mean(shares), rel=1e-12), len(shares))
    assert len(shares) == 32


def test_a_feature_that_stands_for_a_token_has_it_at_all_of_its_largest():
    x = np.zeros((400, 4), np.float32)
    ids = np.arange(400) % 8
    x[ids == 3, 1] = 5 + RNG(0).random(50)  # 50 tokens, always the same
    x[:, 2] = 1 + RNG(1).random(400)  # any token
    x[:19, 0] = 1  # too few to tell
    found = values_of(identity_sae(4), x, ids)
    any_token = commonest(ids[np.argsort(-x[:, 2], kind="stable")[:TOP]][None])[0]
    assert found["top_token_share"].value == (1 + any_token) / 2
    assert found["top_token_share"].n == 2


def test_of_equal_activations_the_earlier_tokens_count():
    tops = Tops(1)
    for part in range(3):
        at = np.arange(15)
        tops.add(np.zeros(15, int), np.ones(15), 100 * part + at)
    assert tops.ids.tolist() == [*range(15), *range(100, 105)]
    tops.add(np.zeros(1, int), np.full(1, 2.0), np.array([7777]))
    assert tops.ids.tolist() == [7777, *range(15), *range(100, 104)]


def test_chance_is_what_random_tokens_give():
    """Of two tokens of one half each: the mean of the larger of two binomial shares."""
    found = by_chance(np.array([4, 9]), 0)
    counts = np.arange(TOP + 1)
    expected = (np.maximum(counts, TOP - counts) / TOP * binom.pmf(counts, TOP, 0.5)).sum()
    assert found == pytest.approx(expected, abs=0.01)
    assert by_chance(np.array([5]), 0) == 1
    assert by_chance(np.arange(10**6), 0) == pytest.approx(1 / TOP, abs=1e-3)


def test_where_there_is_none_it_says_why():
    means = values_of(identity_sae(16), X, None)
    for name in ("top_token_share", "null_top_token_share"):
        assert (means[name].value, means[name].because) == (None, NO_TOKENS)
    silent = values_of(zero_sae(16), X, IDS)
    assert silent["top_token_share"].value is None
    assert silent["top_token_share"].because == f"no feature has {TOP} active tokens"
    assert silent["null_top_token_share"].value > 0
