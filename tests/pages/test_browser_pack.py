import json

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from saegrid.pages.browser import pack


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


def test_rows_as_json():
    offsets = np.array([0, 2, 2, 3])
    assert pack.lists(np.array([7, -1, 30]), offsets).to_pylist() == ["[7,-1]", "[]", "[30]"]
    assert pack.lists([0.5, None, 1e-7], offsets[1:]).to_pylist() == ["[]", "[1e-07]"]
    words = pack.scalars(['a "b",\n', "é", None])
    assert pack.lists(words, offsets).to_pylist() == ['["a \\"b\\",\\n","é"]', "[]", "[null]"]
    assert pack.quoted(np.frombuffer(b"014", np.uint8), offsets).to_pylist() == [
        '"01"',
        '""',
        '"4"',
    ]


def test_objects_as_json():
    some = pack.unless(pa.array(["[]", "[3]", "[]"]), "[]")
    columns = {"b": pa.array(["1", "2", "3"]), "a": some}
    assert pack.objects(columns).to_pylist() == ['{"b":1}', '{"a":[3],"b":2}', '{"b":3}']
    assert pack.objects({"a": some, "b": some}).to_pylist() == ["{}", '{"a":[3],"b":[3]}', "{}"]


def test_tuples_as_json():
    assert pack.tuples(pa.array(["1", "2"]), '"x"').to_pylist() == ['[1,"x"]', '[2,"x"]']
    assert pack.tuples(pa.array(["1"]), pack.tuples()).to_pylist() == ["[1,[]]"]


@given(st.lists(st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_scalars_are_json(values):
    assert [json.loads(text) for text in pack.scalars(values).to_pylist()] == values
