"""A model is known by all bytes of the files that are read, and by nothing else."""

import os
import shutil

import numpy as np
import pytest

from saegrid.base import digest, io
from saegrid.models.identity import model_identity

MODEL = {"path": "x", "revision": None, "dtype": "float32", "weights": "pretrained", "seed": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digest, "SMALL", 10)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    io.write_tensors(tmp_path / "model" / "model.safetensors", {"w": np.arange(800.0)})
    return tmp_path / "model"


def test_times_and_names_of_folders_do_not_count(folder):
    before = model_identity(MODEL, folder)
    os.utime(folder / "model.safetensors", (1, 1))
    assert model_identity(MODEL, folder) == before
    other = folder.rename(folder.with_name("moved"))
    assert model_identity(MODEL | {"path": "y"}, other) == before


def test_content_dtype_and_untrained_weights_count(folder):
    before = model_identity(MODEL, folder)
    assert model_identity(MODEL | {"dtype": "bfloat16"}, folder) != before
    untrained = MODEL | {"weights": "random"}
    assert model_identity(untrained, folder) != before
    assert model_identity(untrained | {"seed": 1}, folder) != model_identity(untrained, folder)
    (folder / "config.json").write_text('{"hidden_size": 8}')
    assert model_identity(MODEL, folder) != before


def test_one_byte_anywhere_counts(folder):
    """No sample of the bytes is taken: a swapped matrix of one layer is another model."""
    before = {str(model_identity(MODEL, folder))}
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    for place in range(len(raw) - 6_400, len(raw), 640):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        before.add(str(model_identity(MODEL, folder)))
    assert len(before) == 11


def test_the_weights_of_an_untrained_model_do_not_count(folder):
    untrained = MODEL | {"weights": "random"}
    before = model_identity(untrained, folder)
    (folder / "model.safetensors").write_bytes(b"other")
    assert model_identity(untrained, folder) == before


def test_files_that_are_not_read_do_not_count(folder):
    before = model_identity(MODEL, folder)
    (folder / "README.md").write_text("hello")
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"x" * 100)
    assert model_identity(MODEL, folder) == before


def test_a_model_on_the_hub_is_known_by_name_and_commit():
    found = model_identity(MODEL | {"path": "a/b", "revision": "0" * 40}, None)
    expected = {"dtype": "float32", "weights": "pretrained", "hub": "a/b", "revision": "0" * 40}
    assert found == expected
