"""Sorting and drawing entries: the order is that of np.lexsort, the draws are fixed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from saegrid.features import ordering


def test_lots_that_differ_in_their_last_bits_only():
    group = np.array([1, 0, 1, 0, 1])
    lot = np.array([9, 5, 8, 5, 2**64 - 1], np.uint64)
    assert ordering.order(group, lot).tolist() == [1, 3, 2, 0, 4]


@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 2**64 - 1)), max_size=50))
def test_order_is_that_of_lexsort(pairs):
    group = np.array([a % 5 for a, _ in pairs], np.int64)
    lot = np.array([b for _, b in pairs], np.uint64)
    assert np.array_equal(ordering.order(group, lot), np.lexsort((lot, group)))


@given(st.lists(st.floats(0, width=32, exclude_min=True, allow_infinity=False)))
def test_heights_ascend_as_values(values):
    values = np.float32(values)
    expected = np.argsort(values, kind="stable")
    assert np.array_equal(np.argsort(ordering.height(values), kind="stable"), expected)


def test_numbers_of_equal_keys():
    assert ordering.number(np.array([4, 4, 0, 7, 7, 7])).tolist() == [0, 1, 0, 0, 1, 2]
    assert ordering.number(np.zeros(0, int)).tolist() == []


def test_draw_by_hand():
    """splitmix64 in python integers."""

    def mixed(lot, part):
        lot = ((lot ^ part) + 0x9E3779B97F4A7C15) % 2**64
        lot = (lot ^ lot >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        lot = (lot ^ lot >> 27) * 0x94D049BB133111EB % 2**64
        return lot ^ lot >> 31

    feature, place, token = np.array([9, 3]), np.array([1, 0, 0]), np.array([2, 2, 40])
    drawn = ordering.draw(7, 1, feature, place, token)
    wanted = [mixed(mixed(mixed(7, 1), f), t) for f, t in ((3, 2), (9, 2), (9, 40))]
    assert drawn.tolist() == wanted
