"""Headers of safetensors files: what the library refuses is refused, with the tensor's name."""

import json

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import BITS, header, open_tensors


def written(path, described, data=bytes(16), raw=None):
    text = json.dumps(described).encode() if raw is None else raw
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(offsets, shape=(2,), dtype="F32", **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": offsets, **more}


TWO = {"a": entry([0, 8]), "b": entry([8, 16])}
PLAIN = json.dumps(TWO).encode()


def test_a_header_says_where_tensors_lie(tmp_path):
    path = tmp_path / "x.safetensors"
    values = {"b": np.arange(6.0).reshape(2, 3), "a": np.arange(4, dtype=np.int32)}
    save_file(values, path, {"k": "v"})
    found = header(path)
    assert found.metadata == {"k": "v"} and list(found.entries) == ["b", "a"]
    raw = path.read_bytes()
    for name, (dtype, shape, start, stop) in found.entries.items():
        assert dtype == {"b": "F64", "a": "I32"}[name] and shape == values[name].shape
        assert raw[start:stop] == values[name].tobytes()
    assert found.entries["a"].stop == len(raw)
    for name, array in open_tensors(path).arrays.items():
        assert np.array_equal(array, values[name])


REFUSED = {
    "overlapping offsets": (TWO | {"b": entry([0, 8])}, "tensor 'b' must begin where"),
    "half overlapping": (TWO | {"b": entry([4, 12])}, "tensor 'b' must begin where"),
    "a gap": (TWO | {"b": entry([12, 20])}, "tensor 'b' must begin where"),
    "a gap at the start": ({"a": entry([8, 16])}, "tensor 'a' must begin where"),
    "a size that is not the shape's": (TWO | {"a": entry([0, 8], (3,))}, "'a' of shape (3,)"),
    "offsets in disorder": ({"a": entry([16, 0], (0,))}, "'a' of shape (0,)"),
    "an unknown type": (TWO | {"a": entry([0, 8], dtype="Q4")}, "'a' has the type 'Q4'"),
    "a type that is no text": (TWO | {"a": entry([0, 8], dtype=4)}, "'a' has the type 4"),
    "no offsets": ({"a": {"dtype": "F32", "shape": [2]}}, "'a' has no data_offsets"),
    "no shape": ({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, "'a' has no shape"),
    "no type": ({"a": {"shape": [2], "data_offsets": [0, 8]}}, "'a' has no dtype"),
    "an entry that is a number": ({"a": 5}, "'a' must be described by an object; got 5"),
    "an entry that is null": ({"a": None}, "'a' must be described by an object"),
    "a negative shape": ({"a": entry([0, 16], (-2, -2))}, "'a' must have a shape"),
    "a shape with a fraction": (TWO | {"a": entry([0, 8], (2.0,))}, "'a' must have a shape"),
    "a shape with true": ({"a": entry([0, 16], (True, 4))}, "'a' must have a shape"),
    "a shape that is a number": (TWO | {"a": entry([0, 8]) | {"shape": 2}}, "'a' must have a sh"),
    "negative offsets": ({"a": entry([-8, 8], (4,))}, "'a' must have two data_offsets"),
    "three offsets": (TWO | {"a": entry([0, 8, 9])}, "'a' must have two data_offsets"),
    "a shape beyond 64 bits": (TWO | {"a": entry([0, 8], (2**63, 4))}, "'a' of shape"),
    "half a byte": ({"a": entry([0, 16], (33,), "F4")}, "'a' of shape (33,)"),
    "trailing bytes": ({"a": entry([0, 8])}, "too long"),
    "missing bytes": (TWO | {"c": entry([16, 24])}, "truncated"),
    "facts that are no texts": (TWO | {"__metadata__": {"k": 1}}, "__metadata__ must map"),
    "facts that are a list": (TWO | {"__metadata__": [1]}, "__metadata__ must map"),
    "a list": ([TWO], "no JSON object"),
    "a number": (5, "no JSON object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_library_refuses_is_refused_in_a_sentence_with_the_tensor(tmp_path, case):
    described, sentence = REFUSED[case]
    path = written(tmp_path / "x.safetensors", described)
    assert not library_reads(path)
    with pytest.raises(CheckpointError) as error:
        header(path)
    assert str(error.value).startswith(f"{path}: ") and sentence in str(error.value)
    assert str(error.value).endswith("Fetch it again.")


RAW = {
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "no UTF-8": PLAIN.replace(b'"a"', b'"\xff"'),
    "zeros behind": PLAIN + b"\0\0",
    "a negative zero": PLAIN.replace(b"[0, 8]", b"[-0, 8]"),
    "not a number": PLAIN.replace(b"[0, 8]", b"[NaN, 8]"),
    "a field twice": PLAIN.replace(b'"dtype"', b'"dtype": "F32", "dtype"', 1),
    "deep nesting": b"[" * 5_000,
    "half of it": PLAIN[:-9],
    "nothing": b"",
    "half a character": PLAIN.replace(b'"a"', b'"\\ud800"'),
}


@pytest.mark.parametrize("case", RAW)
def test_what_the_library_cannot_parse_is_refused(tmp_path, case):
    path = written(tmp_path / "x.safetensors", None, raw=RAW[case])
    assert not library_reads(path)
    with pytest.raises(CheckpointError, match=f"^{path}: "):
        header(path)


def test_a_name_that_stands_twice_is_refused_though_the_library_takes_the_last(tmp_path):
    raw = json.dumps({"a": entry([0, 16], (4,))}).encode()
    raw = raw[:-1] + b"," + raw[1:]
    path = written(tmp_path / "x.safetensors", None, raw=raw)
    with pytest.raises(CheckpointError, match="'a' stands twice in the header"):
        header(path)


def test_what_is_no_file_is_not_read(tmp_path):
    for path in ("/dev/zero", tmp_path):
        with pytest.raises(CheckpointError, match="this is no file"):
            header(path)


def test_a_header_larger_than_the_library_reads_is_refused_unread(tmp_path):
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write((100_000_001).to_bytes(8, "little"))
        file.truncate(100_000_100)
    assert not library_reads(path)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        header(path)


def test_types_have_the_librarys_sizes(tmp_path):
    for dtype, bits in BITS.items():
        path = written(
            tmp_path / "x.safetensors", {"a": entry([0, bits], (8,), dtype)}, bytes(bits)
        )
        assert library_reads(path) and header(path).entries["a"].shape == (8,)


def test_a_tensor_of_a_type_that_is_not_read_is_named(tmp_path):
    path = written(tmp_path / "x.safetensors", {"a": entry([0, 16], (16,), "F8_E4M3")})
    with pytest.raises(CheckpointError, match="'a' is stored as F8_E4M3; supported: F64"):
        open_tensors(path)


def library_reads(path) -> bool:
    try:
        with safetensors.safe_open(path, framework="numpy"):
            return True
    except safetensors.SafetensorError:
        return False


values = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats() | st.sampled_from(["F32", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)
parts = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F16", "I8", "F4", "??"]) | values,
        "shape": st.lists(st.integers(-1, 4), max_size=2) | values,
        "data_offsets": st.lists(st.sampled_from([0, 2, 4, 8, 16]), min_size=2, max_size=2)
        | values,
    },
)
good = st.builds(entry, st.sampled_from([[0, 8], [8, 16], [0, 4], [4, 12], [16, 16]]))
headers = st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), good | parts | values)


@given(headers, st.sampled_from([0, 8, 16]))
def test_no_mangled_header_passes_that_the_library_refuses(tmp_path_factory, described, size):
    path = tmp_path_factory.getbasetemp() / "mangled.safetensors"
    written(path, described, bytes(size))
    try:
        found = header(path)
    except CheckpointError as problem:
        assert str(path) in str(problem)
        return
    assert library_reads(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        assert sorted(file.keys()) == sorted(found.entries)
        for name, known in found.entries.items():
            assert tuple(file.get_slice(name).get_shape()) == known.shape
