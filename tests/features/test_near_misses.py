"""Near misses: silent tokens spelled like a feature's own, by hand, and by brute force."""

import numpy as np
import pyarrow as pa

from saegrid.base.words import SIDES
from saegrid.codes.sparse import from_pairs
from saegrid.features import near_misses as module
from saegrid.features.density import density
from saegrid.features.near_misses import near_misses

WORDS = ["bank", " cat", "bank ", "dog", "bank", "cat", "bank", "owl"]


def tokens_of(words, masked=None):
    n = len(words)
    side = pa.DictionaryArray.from_arrays(np.full(n, SIDES.index("edited"), np.int8), list(SIDES))
    return pa.table(
        {
            "row": np.arange(n, dtype=np.int32),
            "position": np.ones(n, np.int32),
            "token_id": np.arange(n, dtype=np.int32),
            "text": words,
            "side": side,
            "group": np.arange(n, dtype=np.int32),
            "item": np.arange(n, dtype=np.int32),
            "special": np.zeros(n, bool),
            "in_edit": np.ones(n, bool) if masked is None else masked,
        }
    )


def drawn(words, pairs, d_sae, masked=None, **settings):
    """The near misses (feature, token) of features that fire on pairs (feature, token)."""
    feature, token = np.array(pairs).T
    order = np.lexsort((token, feature))
    features = from_pairs(
        feature[order],
        token[order],
        np.ones(len(order), np.float32),
        np.arange(len(words)),
        d_sae,
    )
    tokens, kept = tokens_of(words, masked), np.ones(len(words), bool)
    table = density(features, tokens, kept)
    found = near_misses(features, table, tokens, kept, **settings)
    assert set(found["activation"].to_pylist()) <= {0.0}
    return found, list(zip(found["feature"].to_pylist(), found["item"].to_pylist(), strict=True))


def test_near_misses_by_hand():
    """Feature 0 fires on two of four banks and on an owl, 1 on both cats: it misses none."""
    found, pairs = drawn(WORDS, [(0, 0), (0, 2), (0, 7), (1, 1), (1, 5)], 3, near=5)
    assert sorted(pairs) == [(0, 4), (0, 6)]
    assert found["example_rank"].to_pylist() == [0, 1]
    assert found["token"].to_pylist() == ["bank", "bank"]
    masked = np.array([True] * 6 + [False, True])
    assert drawn(WORDS, [(0, 0), (0, 2)], 1, masked, near=5)[1] == [(0, 4)]
    assert drawn(WORDS, [(0, 0), (0, 2)], 1, near=0)[1] == []


def test_the_commonest_spelling_comes_first():
    words = ["a", "b", "b", "a", "b"] * 3
    _, pairs = drawn(words, [(0, 0), (0, 1), (0, 2)], 1, near=9)
    spelled = [words[token] for _, token in pairs]
    assert spelled == sorted(spelled, reverse=True) and len(pairs) == 9


def test_near_misses_are_silent_and_spelled_alike(monkeypatch):
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in rng.integers(0, 12, 400)]
    pairs = [(int(f), int(t)) for f in range(9) for t in np.flatnonzero(rng.random(400) < 0.1)]
    monkeypatch.setattr(module, "POOL", 1000)
    monkeypatch.setattr(module, "SPELLINGS", 1000)
    _, every = drawn(words, pairs, 9, near=1000)
    own = {f: {words[t] for g, t in pairs if g == f} for f in range(9)}
    assert set(every) == {
        (f, t) for f in range(9) for t in range(400) if words[t] in own[f] and (f, t) not in pairs
    }
    monkeypatch.undo()
    _, few = drawn(words, pairs, 9, near=3)
    assert set(few) <= set(every) and len(few) == 27
    assert drawn(words, pairs, 9, near=3, seed=1)[1] != few


def test_a_draw_depends_on_its_own_feature_alone():
    rng = np.random.default_rng(1)
    words = [f"w{n}" for n in rng.integers(0, 6, 200)]
    pairs = [(int(f), int(t)) for f in range(4) for t in np.flatnonzero(rng.random(200) < 0.2)]
    _, all_of_them = drawn(words, pairs, 4, near=2)
    for feature in range(4):
        _, alone = drawn(words, [p for p in pairs if p[0] == feature], 4, near=2)
        assert alone == [p for p in all_of_them if p[0] == feature]
