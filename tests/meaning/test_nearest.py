"""Nearest rows: known answers, then brute force in float64 for every size of tiles."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from saegrid.meaning.nearest import (
    Directions,
    by_direction,
    by_firings,
    chance,
    jaccard,
    n_both,
    phi,
)


def firings(dense):
    matrix = sparse.csr_matrix(np.asarray(dense, np.int32))
    matrix.data[:] = 1
    return matrix


def tuples(nearest):
    return list(zip(*(part.tolist() for part in nearest), strict=True))


def best(value, both, k, allowed):
    """The k largest of each row by a sort of all: (row, column, value, n_both)."""
    pairs = []
    for row, values in enumerate(value.astype(np.float32)):
        columns = [c for c in range(len(values)) if allowed[row, c]]
        columns.sort(key=lambda c, values=values: (-values[c], c))
        pairs += [(row, c, float(values[c]), int(both[row, c])) for c in columns[:k]]
    return pairs


def test_phi_is_the_correlation_of_firings():
    a, b = np.array([1, 1, 1, 0, 0, 0, 0, 0]), np.array([1, 1, 0, 1, 0, 0, 0, 0])
    value = phi(np.array([2.0]), np.array([3.0]), np.array([3.0]), 8)
    assert value == pytest.approx([np.corrcoef(a, b)[0, 1]])
    assert value == pytest.approx([7 / 15])
    # A feature that always fires is alike with nothing.
    assert phi(np.array([3.0]), np.array([8.0]), np.array([3.0]), 8) == [0]
    assert jaccard(np.array([2.0]), np.array([3.0]), np.array([3.0]), 8) == [0.5]


def test_firing_once_on_the_same_thing_makes_no_kin():
    own = firings([[1, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]])
    other = firings([[1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0]])
    assert tuples(by_firings(own, other, jaccard, 5, least=2)) == [(1, 1, 0.5, 2)]
    assert tuples(by_firings(own, other, jaccard, 1, least=1)) == [(0, 0, 1.0, 1), (1, 1, 0.5, 2)]


def test_ties_go_to_the_smaller_feature_and_none_is_its_own_kin():
    three = firings(np.tile([1, 1, 0, 0], (3, 1)))
    rows = tuples(by_firings(three, three, phi, 2, least=1, same=True))
    assert [row[:2] for row in rows] == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert {row[2] for row in rows} == {1.0}


def test_features_that_avoid_each_other_are_no_kin():
    own, other = firings([[1, 1, 1, 0, 0]]), firings([[0, 0, 1, 1, 1]])
    assert tuples(by_firings(own, other, phi, 5, least=1)) == []


@pytest.mark.parametrize("measure", [phi, jaccard])
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 300), st.integers(1, 60)),
    entries=st.integers(1, 4000),
    k=st.integers(1, 6),
    same=st.booleans(),
)
def test_firings_are_those_of_brute_force(measure, seed, shape, entries, k, same):
    rng = np.random.default_rng(seed)
    n_own, n_other, n = shape
    own, other = (rng.random((m, n)) < rng.random((m, 1)) * 0.7 for m in (n_own, n_other))
    other[rng.random(n_other) < 0.3] = other[0]  # ties
    other = own if same else other
    a, b = own.astype(float), other.astype(float)
    both = a @ b.T
    counts = a.sum(axis=1)[:, None], b.sum(axis=1)[None]
    value = measure(both, *counts, n)
    allowed = (both >= 2) & (value.astype(np.float32) > 0)
    if same:
        np.fill_diagonal(allowed, False)
    near = by_firings(firings(own), firings(other), measure, k, 2, same, entries)
    assert tuples(near) == best(value, both, k, allowed)


def test_a_long_row_is_cut_by_its_bound():
    """Rows that are longer than the parts of the bound keep what a sort of all keeps."""
    rng = np.random.default_rng(0)
    own, other = (rng.random((m, 400)) < 0.2 for m in (9, 3000))
    both = own.astype(float) @ other.T
    value = phi(both, own.sum(axis=1)[:, None] * 1.0, other.sum(axis=1)[None] * 1.0, 400)
    allowed = (both >= 3) & (value.astype(np.float32) > 0)
    near = by_firings(firings(own), firings(other), phi, 5, 3)
    assert tuples(near) == best(value, both, 5, allowed)


def test_joint_firings_of_pairs():
    own, other = firings([[1, 1, 0], [0, 0, 1]]), firings([[1, 1, 1], [1, 0, 0]])
    row, column = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert n_both(own, other, row, column).tolist() == [2, 1, 1, 0]


# --- directions


def unit(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def near(own, other, k, ids=None, same=False, tile=None):
    own, other = unit(np.asarray(own, float)), unit(np.asarray(other, float))
    ids = np.arange(len(other)) if ids is None else np.asarray(ids)
    own_ids = ids if same else np.arange(len(own))
    directions = Directions.of(lambda f: own[f], own_ids)
    return by_direction(directions, own_ids, lambda f: other[f], ids, k, same, tile)


def test_the_nearest_directions_by_hand():
    other = [[1, 0, 0, 0], [3, 0.1, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]]
    (first, *rest) = tuples(near([[2, 0, 0, 0]], other, 5))
    assert first == (0, 0, 1.0, 0)
    # Neither what is orthogonal or opposite, nor what has no direction.
    assert [row[:2] for row in rest] == [(0, 1)]


def test_an_equal_direction_has_cosine_one_and_ties_go_by_id():
    rng = np.random.default_rng(1)
    row = rng.standard_normal(257)
    rows = tuples(near([row], [row] * 4, 3))
    assert rows == [(0, 0, 1.0, 0), (0, 1, 1.0, 0), (0, 2, 1.0, 0)]


def test_random_directions_are_no_kin():
    """The largest of m random cosines lies below sqrt(2 ln m / d) more often than not."""
    rng = np.random.default_rng(2)
    own, other = rng.standard_normal((200, 512)), rng.standard_normal((1000, 512))
    assert chance(1000, 512) == pytest.approx(0.16427, abs=1e-5)
    assert len(set(near(own, other, 5).row.tolist())) < 100


@given(
    seed=st.integers(0, 2**32 - 1),
    n_own=st.integers(1, 30),
    n_other=st.integers(1, 90),
    tile=st.integers(1, 40),
    k=st.integers(1, 6),
    same=st.booleans(),
)
def test_directions_are_those_of_brute_force(seed, n_own, n_other, tile, k, same):
    rng = np.random.default_rng(seed)
    # Few distinct rows near one another: ties, and values within a rounding of the next.
    centre = rng.standard_normal(24)
    other = np.round(centre + 0.5 * rng.standard_normal((n_other, 24)), 1).astype(np.float32)
    other[n_other // 2 :] = other[: n_other - n_other // 2]
    ids = np.flatnonzero(rng.random(n_other) < 0.8)
    own = other[ids] if same else other[rng.integers(0, n_other, n_own)] + np.float32(0.1)
    found = near(other if same else own, other, k, ids, same, tile)
    u, v = (unit(part.astype(float)).astype(np.float32).astype(float) for part in (own, other[ids]))
    value = unit(u) @ unit(v).T
    allowed = value > chance(len(ids), 24)
    if same:
        np.fill_diagonal(allowed, False)
    whole = near(other if same else own, other, k, ids, same)
    assert all(np.array_equal(*pair) for pair in zip(found, whole, strict=True))
    # Columns by value, as float64 of another order may differ in the last bit of float32.
    for row in range(len(own)):
        mine = found.column[found.row == row]
        expected = np.sort(value[row][allowed[row]])[::-1][:k]
        assert value[row][mine] == pytest.approx(expected, abs=2e-7)
        assert found.value[found.row == row] == pytest.approx(expected, abs=2e-7)
        # Equal rows in order of id.
        for x, y in pairwise(mine):
            assert x < y or not np.array_equal(v[x], v[y])
