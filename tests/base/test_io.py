"""Artefact files: atomic, with the spec in the header, same bytes for same content."""

import json

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy
import yaml

from saegrid.base import io
from saegrid.base.recorded import recorded_spec

TABLE = pa.table({"feature": pa.array([3, 1], pa.int32()), "token": ["a", "</script>"]})


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "facts.json"
    io.write_json(path, {"a": 1})
    with pytest.raises(RuntimeError, match="in the middle"), io.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("in the middle")
    assert io.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["facts.json"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_yaml_that_is_too_deep_is_one_sentence(tmp_path, opening):
    """At 100,000 levels the C library would take the interpreter down."""
    (tmp_path / "deep.yaml").write_text(opening * 100_000)
    with pytest.raises(yaml.YAMLError, match=r"^more than 100 sections stand within each other$"):
        io.read_yaml(tmp_path / "deep.yaml")
    (tmp_path / "deep.yaml").write_text("[" * 99 + "]" * 99)
    assert io.read_yaml(tmp_path / "deep.yaml") != []
    (tmp_path / "deep.yaml").write_text("[a\n, b")
    with pytest.raises(yaml.YAMLError, match=r"^while parsing a flow sequence[^\n]+$"):
        io.read_yaml(tmp_path / "deep.yaml")


def test_every_kind_of_file_records_its_spec(tmp_path):
    io.write_json(tmp_path / "a.json", {"x": 1}, "spec")
    io.write_table(tmp_path / "a.parquet", TABLE, "spec")
    io.write_tensors(tmp_path / "a.safetensors", {"x": np.ones(2, np.float32)}, "spec")
    assert {recorded_spec(p) for p in tmp_path.iterdir()} == {"spec"}
    assert io.read_json(tmp_path / "a.json") == {"x": 1}
    assert io.read_table(tmp_path / "a.parquet").equals(TABLE)


def test_every_file_has_the_usual_rights(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    io.write_tensors(tmp_path / "a.safetensors", {"x": np.ones(2)})
    io.write_table(tmp_path / "a.parquet", TABLE)
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1


def test_same_content_same_bytes(tmp_path):
    tensors = {"b": np.arange(4), "a": np.ones((2, 3), np.float32)}
    io.write_tensors(tmp_path / "1", tensors, "s", {"k": "v"})
    io.write_tensors(tmp_path / "2", dict(reversed(tensors.items())), "s", {"k": "v"})
    io.write_table(tmp_path / "3", TABLE, "s")
    io.write_table(tmp_path / "4", TABLE, "s")
    first, second, third, fourth = ((tmp_path / n).read_bytes() for n in "1234")
    assert first == second
    assert third == fourth


KINDS = ("bool", "uint8", "int16", "uint16", "float16", "int32", "uint32", "float32", "float64")


def test_tensors_lie_as_the_library_itself_lays_them(tmp_path):
    tensors = {
        f"{name}-{kind}": np.arange(size).astype(kind).reshape(-1, 1)
        for kind in (*KINDS, "int64", "uint64", "int8")
        for name, size in (("b", 3), ("a", 0))
    }
    tensors["turned"] = np.arange(6, dtype=np.float32).reshape(2, 3).T
    io.write_tensors(tmp_path / "ours", tensors, "s")
    plain = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    safetensors.numpy.save_file(plain, tmp_path / "theirs", {io.SPEC: "s"})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_torch_tensors_are_written_with_their_dtype(tmp_path):
    torch = pytest.importorskip("torch")
    io.write_tensors(tmp_path / "x", {"x": torch.ones(3, 2, dtype=torch.bfloat16)})
    read = io.read_tensors(tmp_path / "x", framework="pt")["x"]
    assert read.dtype == torch.bfloat16
    assert read.tolist() == [[1, 1]] * 3


def test_canonical_json_knows_no_order_and_no_nan():
    assert (
        io.canonical({"b": [1, {"d": 2, "c": 3}], "a": None}) == '{"a":null,"b":[1,{"c":3,"d":2}]}'
    )
    assert json.loads(io.canonical({"x": 0.1}))["x"] == 0.1
    with pytest.raises(ValueError, match="JSON compliant"):
        io.canonical({"x": float("nan")})


def test_columns_of_a_table_come_as_they_are_named(tmp_path):
    path = tmp_path / "a.parquet"
    io.write_table(path, TABLE, "spec")
    assert io.read_table(path).equals(TABLE)
    assert io.read_table(path, ["token", "feature"]).equals(TABLE.select(["token", "feature"]))
    with pytest.raises(KeyError, match="toks"):
        io.read_table(path, ["feature", "toks"])
