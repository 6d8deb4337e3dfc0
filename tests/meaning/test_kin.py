"""Kin of features: small cells by hand, then brute force, planted twins and tables."""

import numpy as np
import pyarrow as pa
import pytest

from saegrid.base.words import EDITED
from saegrid.codes.sparse import from_pairs
from saegrid.evidence.texts import TEXT, Texts, View
from saegrid.meaning import CELL, DECODER, LAYER, RELATIONS, TEXTS, TOKENS, WIDTH
from saegrid.meaning.kin import (
    SCHEMA,
    Other,
    Rules,
    commonest,
    in_order,
    kin,
    member,
)
from saegrid.meaning.nearest import Directions, chance

N_ITEMS, LENGTH = 30, 4
N_TOKENS = N_ITEMS * LENGTH
KEPT = np.arange(N_ITEMS) % 5 > 0
RULES = Rules()


def corpus(name=TEXT):
    """Items of LENGTH tokens; of edits only the last two are in the view."""
    token = np.arange(N_TOKENS)
    token = token if name == TEXT else token[token % LENGTH >= 2]
    view = View((token // LENGTH).astype(np.int32), token, np.ones(N_ITEMS, bool))
    return Texts({}, np.arange(N_ITEMS, dtype=np.int32), {name: view}, {})


def codes(dense, captured=None):
    """Features of (token, feature) activations."""
    token, feature = np.nonzero(dense)
    captured = np.arange(len(dense)) if captured is None else captured
    return from_pairs(feature, token, dense[token, feature], captured, dense.shape[1])


def top_of(features, words="abcdef"):
    """Examples: the first two tokens on which each feature fires, with a word of few letters."""
    rows = [
        (f, rank, int(t), 1.0, words[int(t) % len(words)].upper() + " ")
        for f in range(features.d_sae)
        for rank, t in enumerate(features.of(f)[0][:2])
    ]
    names = ("feature", "example_rank", "token_index", "activation", "word")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


class Made:
    """A cell with its decoder."""

    def __init__(self, name, dense, rows, texts=None):
        self.codes = codes(dense)
        self.rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.dense = dense > 0
        self.member = member(name, self.codes, top_of(self.codes), texts or corpus(), KEPT)

    def read(self, features):
        return self.rows[features]

    def kin(self, place, other, rules=RULES):
        directions = Directions.of(self.read, self.member.shown)
        found = Other(place, other.member, other.read, len(other.rows))
        return kin(self.member, directions, found, rules)


def drawn(seed, d_sae=25, d_model=48, name="L1R-8x"):
    rng = np.random.default_rng(seed)
    dense = rng.random((N_TOKENS, d_sae)).astype(np.float32)
    dense[dense < rng.random(d_sae)] = 0
    dense[:, d_sae // 2] = 0  # a silent one
    rows = rng.standard_normal((d_sae, d_model)) + rng.standard_normal(d_model)
    return Made(name, dense, rows)


def lines(table, relation):
    """Feature, other, value, n_both, rank of one relation."""
    names = ("feature", "other", "value", "n_both", "rank")
    rows = [row for row in table.to_pylist() if row["relation"] == relation]
    return [tuple(row[name] for name in names) for row in rows]


def test_a_feature_copied_into_the_next_layer_is_its_kin():
    own, other = drawn(0), drawn(1, name="L2R-8x")
    other.rows[7], other.dense[:, 7] = own.rows[3], own.dense[:, 3]
    other = Made("L2R-8x", other.dense.astype(np.float32), other.rows)
    table = own.kin(LAYER, other)
    for relation in RELATIONS:
        (twin, *_) = [row for row in lines(table, relation) if row[0] == 3]
        assert twin[1:3] == (7, 1.0), relation
    assert set(table["cell"].to_pylist()) == {"L2R-8x"}
    assert set(table["place"].to_pylist()) == {LAYER}


def test_the_table_by_hand():
    dense = np.zeros((N_TOKENS, 4), np.float32)
    dense[4:8, 0] = 1  # the four tokens of item 1, one of item 2, one of item 5, not kept
    dense[[8, 20], 0] = 2
    dense[4:8, 1] = 3
    dense[[40, 41, 42], 2] = 1  # alone
    rows = np.eye(4) + 0.01
    made = Made("L1R-8x", dense, rows)
    table = made.kin(CELL, made)
    assert table.schema == SCHEMA
    # n 120: phi of 4 joint tokens, of 6 and 4.
    expected = (120 * 4 - 6 * 4) / np.sqrt(6 * 114 * 4 * 116)
    assert lines(table, TOKENS) == [
        (0, 1, pytest.approx(expected), 4, 0),
        (1, 0, pytest.approx(expected), 4, 0),
    ]
    assert lines(table, TEXTS) == []  # one text together is less than three
    few = lines(made.kin(CELL, made, Rules(least=1)), TEXTS)
    assert few == [(0, 1, 0.5, 1, 0), (1, 0, 0.5, 1, 0)]
    assert lines(table, DECODER) == []
    # Feature 2 has no kin by anything: no row.
    assert 2 not in table["feature"].to_pylist()


@pytest.mark.parametrize("name", [TEXT, EDITED])
@pytest.mark.parametrize("place", [CELL, WIDTH, LAYER])
def test_kin_are_those_of_brute_force(name, place):
    own = drawn(3)
    own.member = member("L1R-8x", own.codes, top_of(own.codes), corpus(name), KEPT)
    other = own if place == CELL else drawn(4, d_sae=40)
    other.member = member("x", other.codes, top_of(other.codes), corpus(name), KEPT)
    table = own.kin(place, other, Rules(k=3, least=2))
    view = corpus(name).views[name]
    item = np.full(N_TOKENS, -1)
    item[view.token] = view.item
    for relation in RELATIONS:
        expected = []
        for f in np.flatnonzero(own.dense.any(axis=0)):
            some = []
            for g in np.flatnonzero(other.dense.any(axis=0)):
                if place == CELL and f == g:
                    continue
                x, y = own.dense[:, f], other.dense[:, g]
                both = int((x & y).sum())
                if relation == DECODER:
                    value = float(own.rows[f] @ other.rows[g])
                    good = value > chance(int(other.dense.any(axis=0).sum()), own.rows.shape[1])
                elif relation == TOKENS:
                    varies = all(0 < z.sum() < N_TOKENS for z in (x, y))
                    value = float(np.corrcoef(x, y)[0, 1]) if varies else 0
                    good = both >= 2 and value > 0
                else:
                    a, b = (set(item[np.flatnonzero(z)]) - {-1} for z in (x, y))
                    a, b = ({i for i in s if KEPT[i]} for s in (a, b))
                    both = len(a & b)
                    value = both / max(len(a | b), 1)
                    good = both >= 2
                if good:
                    some.append((-value, g, both))
            some.sort(key=lambda one: (round(one[0], 7), one[1]))
            expected += [(f, g, -v, both, r) for r, (v, g, both) in enumerate(some[:3])]
        found = sorted(lines(table, relation), key=lambda row: (row[0], row[4]))
        assert [(f, g, n, r) for f, g, _, n, r in found] == [
            (f, g, n, r) for f, g, _, n, r in expected
        ], relation
        assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], abs=1e-6)


def test_silent_features_are_kin_by_direction_where_they_count():
    own, other = drawn(5), drawn(6)
    other.rows[12] = own.rows[0]  # silent
    assert 12 not in own.kin(WIDTH, other)["other"].to_pylist()
    table = own.kin(WIDTH, other, Rules(silent=True))
    (twin, *_) = [row for row in table.to_pylist() if row["feature"] == 0]
    assert (twin["other"], twin["value"], twin["n_both"], twin["words"]) == (12, 1.0, 0, None)


def test_directions_that_do_not_compare_are_left_out():
    own, other = drawn(7), drawn(8)
    directions = Directions.of(own.read, own.member.shown)
    table = kin(own.member, directions, Other(WIDTH, other.member, None, 25), RULES)
    assert set(table["relation"].to_pylist()) <= {TOKENS, TEXTS}


def test_tokens_that_one_cell_lacks_are_left_out():
    own, other = drawn(9), drawn(10)
    part = np.arange(40, N_TOKENS)
    dense = np.where(np.arange(N_TOKENS)[:, None] < 40, 0, other.dense).astype(np.float32)
    few = codes(dense, part)
    its = member("x", few, top_of(few), corpus(), KEPT)
    directions = Directions.of(own.read, own.member.shown)
    table = kin(own.member, directions, Other(LAYER, its, None, 25), RULES)
    for f, g, value, both, _ in lines(table, TOKENS):
        x, y = own.dense[40:, f], other.dense[40:, g]
        assert both == (x & y).sum() and value == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)


def test_several_cells_in_one_table():
    own, other = drawn(11), drawn(12, name="L1R-32x")
    table = in_order([own.kin(CELL, own), own.kin(WIDTH, other)])
    feature = table["feature"].to_numpy()
    assert (np.diff(feature) >= 0).all()
    cells = table["cell"].to_pylist()
    first = [c for f, c in zip(feature, cells, strict=True) if f == feature[0]]
    assert first == sorted(first, key=["L1R-8x", "L1R-32x"].index)
    assert in_order([]).num_rows == 0


def test_a_cell_without_features():
    own, texts = drawn(13), corpus()
    silent = codes(np.zeros((N_TOKENS, 25), np.float32))
    its = member("x", silent, top_of(own.codes).slice(0, 0), texts, KEPT)
    for one, other in ((own.member, its), (its, own.member), (its, its)):
        directions = Directions.of(own.read, one.shown)
        assert kin(one, directions, Other(WIDTH, other, own.read, 25), RULES).num_rows == 0


def test_the_commonest_words_of_top_tokens():
    names = ("feature", "example_rank", "word")
    rows = [(3, 0, " Wig"), (3, 1, "hair"), (3, 2, "HAIR "), (3, 3, "toupee"), (3, 4, "bald")]
    rows += [(9, 0, ""), (11, 0, "b"), (11, 1, "a")]
    top = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    assert commonest(top, np.array([3, 9, 11])) == ["hair, wig, toupee", None, "b, a"]
