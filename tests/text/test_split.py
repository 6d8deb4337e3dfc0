"""Which tokens are held out."""

import numpy as np
import pytest

from saegrid.text.split import held_out, mix, texts_of

ROWS = np.repeat(np.arange(20_000), 5)


def test_the_hash_is_splitmix64():
    # The first outputs of the generator with the seed 0, as its authors' C code prints them.
    state = np.array([0, 0x9E3779B97F4A7C15], np.uint64)
    assert mix(state).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_rows_stay_whole_and_the_share_holds():
    held = held_out(ROWS, 0.1, 0)
    by_row = held.reshape(-1, 5)
    assert (by_row.all(axis=1) == by_row.any(axis=1)).all()
    assert abs(held.mean() - 0.1) < 4 * np.sqrt(0.1 * 0.9 / 20_000)
    assert not held_out(ROWS, 0.0, 0).any()


def test_a_row_is_chosen_whatever_else_is_there():
    held = held_out(ROWS, 0.1, 3)
    order = np.random.default_rng(0).permutation(len(ROWS))[:777]
    np.testing.assert_array_equal(held_out(ROWS[order], 0.1, 3), held[order])


def test_seeds_choose_independently():
    one, other = (held_out(np.arange(100_000), 0.1, seed) for seed in (0, 1))
    assert abs((one & other).mean() - 0.01) < 0.002
    # A larger share holds out more rows, never others.
    assert (one <= held_out(np.arange(100_000), 0.2, 0)).all()


def test_a_share_must_leave_something():
    with pytest.raises(ValueError, match="below 1; got 1"):
        held_out(ROWS, 1, 0)


def test_rows_are_held_out_by_their_first_text():
    """BOS of no text before it; a row of none; packed rows; two and three rows of one text."""
    row = np.array([4, 4, 4, 5, 5, 6, 6, 6, 6, 7, 8, 8, 9])
    group = np.array([-1, 7, 7, -1, -1, -1, 3, 3, 5, 5, 7, 9, 7])
    assert texts_of(row, group).tolist() == [4] * 3 + [5] * 2 + [6] * 4 + [7] + [4] * 3
    assert texts_of(row[:0], group[:0]).tolist() == []
    # One text a row, in order: the row's own number.
    assert texts_of(ROWS, ROWS.astype(np.int32)).tolist() == ROWS.tolist()
