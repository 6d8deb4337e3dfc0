import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from saegrid.browser import pack


def test_strings_are_numbered_by_frequency():
    strings, codes = pack.encode_strings(pa.array(["b", "a", None]), pa.array(["a", "c", "a"]))
    assert strings == ["a", "b", "", "c"]
    assert [column.tolist() for column in codes] == [[1, 0, 2], [0, 3, 0]]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=20))
def test_expanded_ranges(ranges):
    start = np.array([a for a, _ in ranges], int)
    owner, number = pack.expand(start, start + np.array([n for _, n in ranges], int))
    wanted = [(i, x) for i, (a, n) in enumerate(ranges) for x in range(a, a + n)]
    assert list(zip(owner.tolist(), number.tolist(), strict=True)) == wanted


@given(st.lists(st.floats(width=32, allow_infinity=False)))
def test_floats_read_back_as_the_same_float32(values):
    found = pack.floats(np.float32(values))
    for value, decimal in zip(values, found, strict=True):
        assert decimal is None if np.isnan(value) else np.float32(decimal) == np.float32(value)


def test_floats_are_short():
    assert pack.floats(np.float32([0.1, 1.383, np.nan])) == [0.1, 1.383, None]
    assert pack.rounded(np.array([1 / 3, np.nan])) == [0.333333, None]
