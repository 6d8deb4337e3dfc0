"""Near words by hand and by brute force."""

import numpy as np
import pytest
from scipy import sparse

from saegrid.meaning.families import Families
from saegrid.meaning.near import FAR, near, threshold
from saegrid.meaning.rows import Rows


def rows(counts):
    counts = np.asarray(counts)
    row = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
    return Rows(None, row, len(counts), sparse.csr_matrix(counts))


def entries(of, family, of_piece=()):
    """Families by type. of_piece: those by a piece that is no word."""
    number = np.asarray(family)[of.counts.indices]
    return Families(number, np.isin(number, of_piece))


# Types 0 to 4 are alike, 5 to 7 each apart, 8 is in no space.
VECTORS = np.zeros((9, 5), np.float32)
VECTORS[:5, 0] = 1
VECTORS[[5, 6, 7], [1, 2, 3]] = 1
OWN = np.arange(9)


def test_the_theme_of_most_rows_is_counted():
    of = rows([[4, 2, 2, 0, 0, 1, 0, 0, 1]])
    got = near(of, entries(of, OWN), VECTORS, np.ones(1, bool), 0.5, 0.5, 3)
    assert (got.n[0], got.families[0]) == (8, 3)
    # Without type 0 the theme has 4 of the 6 rows that are left, one of them in no space.
    assert got.rest[0] == pytest.approx(4 / 6)
    assert got.themes(of.n_shown, 0.8, 3).tolist() == [True]
    assert got.themes(of.n_shown, 0.81, 3).tolist() == [False]
    assert got.themes(of.n_shown, 0.8, 4).tolist() == [False]


@pytest.mark.parametrize("others,themes", [([2, 2], False), ([3, 2], True)])
def test_a_theme_has_a_quarter_of_the_rows_without_its_commonest_word(others, themes):
    """13 rows of mistresses and 4 of affairs, or 5 of 20."""
    of = rows([[20 - 2 - sum(others), *others, 0, 0, 2, 0, 0, 0]])
    got = near(of, entries(of, OWN), VECTORS, np.ones(1, bool), 0.5, 0.5, 3)
    assert got.outside.tolist() == [sum(others)] and got.rest[0] > 0.5
    assert got.themes(of.n_shown, 0.65, 3).tolist() == [themes]


def test_a_theme_of_one_common_word_does_not_stand():
    of = rows([[14, 1, 1, 0, 0, 2, 2, 0, 0]])
    got = near(of, entries(of, OWN), VECTORS, np.ones(1, bool), 0.5, 0.5, 3)
    assert (got.n[0], got.families[0], got.rest[0]) == (16, 3, pytest.approx(2 / 6))
    assert got.themes(of.n_shown, 0.5, 3).tolist() == [False]


def test_words_of_one_family_are_one():
    """0 and 1 are a family; 2, 5 and 6 another, of which two are elsewhere: it does not count."""
    of = rows([[3, 3, 3, 3, 0, 1, 1, 0, 0]])
    family = [0, 0, 2, 3, 4, 2, 2, 7, 8]
    got = near(of, entries(of, family), VECTORS, np.ones(1, bool), 0.5, 0.5, 2)
    assert (got.n[0], got.families[0], got.rest[0]) == (12, 2, pytest.approx(6 / 8))


def test_words_of_one_piece_are_of_the_theme_together():
    """Words 2, 5 and 6 share a piece: the rows of 2 are no evidence either."""
    of = rows([[3, 3, 3, 3, 0, 1, 1, 0, 0]])
    family = entries(of, [0, 0, 2, 3, 4, 2, 2, 7, 8], of_piece=[2])
    got = near(of, family, VECTORS, np.ones(1, bool), 0.5, 0.5, 2)
    assert (got.n[0], got.families[0], got.rest[0]) == (9, 2, pytest.approx(3 / 8))


def test_features_that_are_not_asked_have_none():
    of = rows([[4, 2, 2, 0, 0, 0, 0, 0, 0], [4, 2, 2, 0, 0, 0, 0, 0, 0]])
    got = near(of, entries(of, OWN), VECTORS, np.array([True, False]), 0.5, 0.5, 3)
    assert got.n.tolist() == [8, 0] and got.families.tolist() == [3, 0]


def test_many_features_are_as_each_by_itself():
    """Against counting by hand, over more features than are looked at together."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:4] = 0
    counts = np.array([rng.multinomial(20, np.ones(40) / 40) for _ in range(700)])
    of, family = rows(counts), rng.integers(0, 25, 40)
    pieces = [3, 8, 13, 18]
    got = near(of, entries(of, family, pieces), vectors, np.ones(700, bool), 0.6, 0.5, 3)
    for row in range(0, 700, 37):
        shown = np.flatnonzero(counts[row])
        best = (-1,)
        for hub in shown:
            inside = {t for t in shown if vectors[t].any() and vectors[hub].any()
                      and (t == hub or vectors[t] @ vectors[hub] >= 0.6)}  # fmt: skip
            groups = {f: [t for t in shown if family[t] == f] for f in set(family[shown])}
            on = {f: sum(t in inside for t in g) for f, g in groups.items()}
            most = sum((1 if f in pieces else 2) * n >= len(groups[f]) for f, n in on.items())
            inside -= {t for f in pieces if on.get(f, 0) < len(groups.get(f, ()))
                       for t in groups.get(f, ())}  # fmt: skip
            top = max(counts[row][g].sum() for g in groups.values())
            # Of equal families the one with the first word goes.
            out = next(g for t in shown for g in groups.values()
                       if t in g and counts[row][g].sum() == top)  # fmt: skip
            left = [t for t in shown if t not in out]
            n = sum(counts[row][t] for t in inside)
            rest = sum(counts[row][t] for t in left if t in inside) / counts[row][left].sum()
            best = max(best, (n >= 10 and most >= 3 and rest >= 0.5, n, most, rest))
        assert (got.n[row], got.families[row]) == best[1:3]
        assert got.rest[row] == pytest.approx(best[3])


def test_the_threshold_is_a_quantile_over_pairs():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    every = (vectors @ vectors.T)[np.triu_indices(60, 1)]
    vectors = np.vstack([vectors, np.zeros((5, 4), np.float32)])
    assert threshold(vectors, 0) == pytest.approx(np.quantile(every, FAR), abs=0.01)
    assert threshold(vectors, 0) == threshold(vectors, 0)
    assert threshold(np.zeros((9, 2), np.float32), 0) == np.inf
