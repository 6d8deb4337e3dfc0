"""Exchanges move whole originals, and the same arguments give the same matrix."""

import numpy as np
import pytest

from clustered import clusters
from saegrid.evidence import exchange
from saegrid.evidence.exchange import exchanged, generator, signs


def drawn(n=60, permutations=40, between=True, seed=0):
    cluster = clusters(np.random.default_rng(seed), n)
    return cluster, exchanged(cluster, permutations, generator(3, "a"), between)


@pytest.mark.parametrize("between", [True, False])
def test_columns_are_permutations_and_the_first_is_the_identity(between):
    cluster, moved = drawn(between=between)
    assert moved.dtype == np.int32 and np.array_equal(moved[:, 0], np.arange(len(cluster)))
    assert (np.sort(moved, axis=0) == np.arange(len(cluster))[:, None]).all()


def test_whole_originals_move_between_originals_of_equal_size():
    cluster, moved = drawn()
    size = np.bincount(cluster)
    for column in moved.T:
        source = cluster[column]
        for one in np.unique(cluster):
            assert len(set(source[cluster == one])) == 1
        assert (size[source] == size[cluster]).all()
    # They do move, and are shuffled inside.
    assert (cluster[moved[:, 1:]] != cluster[:, None]).mean() > 0.8


def test_inside_originals_only_their_own_texts_move():
    cluster, moved = drawn(between=False)
    assert (cluster[moved] == cluster[:, None]).all()
    assert (moved[:, 1:] != moved[:, :1])[np.bincount(cluster)[cluster] > 2].any()


def test_every_order_is_drawn_equally_often():
    cluster = np.zeros(3, int)
    moved = exchanged(cluster, 6000, generator(1, "orders"))
    _, counts = np.unique(moved[:, 1:], axis=1, return_counts=True)
    assert len(counts) == 6 and abs(counts - 1000).max() < 120
    single = exchanged(np.arange(3), 6000, generator(1, "orders"))
    _, counts = np.unique(single[:, 1:], axis=1, return_counts=True)
    assert len(counts) == 6 and abs(counts - 1000).max() < 120


def test_signs_are_those_of_clusters():
    cluster = clusters(np.random.default_rng(1), 50)
    drawn = signs(cluster, 400, generator(1, "signs"))
    assert (drawn[:, 0] == 1).all() and set(np.unique(drawn)) == {-1, 1}
    for one in np.unique(cluster):
        assert (drawn[cluster == one] == drawn[cluster == one][0]).all()
    assert abs(drawn[:, 1:].mean()) < 0.05


@pytest.mark.parametrize("between", [True, False])
def test_the_same_arguments_give_the_same_matrix(monkeypatch, between):
    _, moved = drawn(between=between)
    monkeypatch.setattr(exchange, "HELD", 700)
    assert np.array_equal(drawn(between=between)[1], moved)
    assert not np.array_equal(
        generator(3, "a").random(4), generator(3, "b").random(4)
    ) and not np.array_equal(generator(3, "a").random(4), generator(4, "a").random(4))


def test_more_permutations_begin_with_the_same_ones_where_all_sizes_are_equal():
    cluster = np.repeat(np.arange(20), 3)
    few = exchanged(cluster, 10, generator(1, "a"))
    assert np.array_equal(exchanged(cluster, 30, generator(1, "a"))[:, :11], few)


def test_numbers_of_clusters_do_not_matter():
    cluster, moved = drawn()
    assert np.array_equal(exchanged(cluster * 7 + 100, 40, generator(3, "a")), moved)
