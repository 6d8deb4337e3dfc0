"""Digests of files and models change with their content, and with nothing else."""

import json
import os

import numpy as np
import pytest

from saegrid.base import digest as identity
from saegrid.base import io

MODEL = {"path": "x", "revision": None, "dtype": "float32", "weights": "pretrained", "seed": 0}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    io.write_tensors(tmp_path / "model.safetensors", {"w": np.arange(8.0)})
    return tmp_path


def test_times_and_names_of_folders_do_not_count(folder, tmp_path_factory):
    before = identity.model_identity(MODEL, folder)
    os.utime(folder / "model.safetensors", (1, 1))
    other = tmp_path_factory.mktemp("other")
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert identity.model_identity(MODEL | {"path": "y"}, other) == before


def test_content_dtype_and_untrained_weights_count(folder):
    before = identity.model_identity(MODEL, folder)
    assert identity.model_identity(MODEL | {"dtype": "bfloat16"}, folder) != before
    untrained = MODEL | {"weights": "random"}
    assert identity.model_identity(untrained, folder) != before
    assert identity.model_identity(untrained | {"seed": 1}, folder) != identity.model_identity(
        untrained, folder
    )
    io.write_tensors(folder / "model.safetensors", {"w": np.arange(8.0)[::-1].copy()})
    assert identity.model_identity(MODEL, folder) != before


def test_the_weights_of_an_untrained_model_do_not_count(folder):
    untrained = MODEL | {"weights": "random"}
    before = identity.model_identity(untrained, folder)
    (folder / "model.safetensors").write_bytes(b"other")
    assert identity.model_identity(untrained, folder) == before


def test_a_large_file_is_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "LARGE", 10)
    path, memory = tmp_path / "corpus.txt", tmp_path / "memory.json"
    path.write_text("a" * 100)
    first = identity.file_digest(path, str(memory))
    assert len(json.loads(memory.read_text())) == 1
    monkeypatch.setattr(identity, "_sha256", lambda _: pytest.fail("read again"))
    assert identity.file_digest(path, str(memory)) == first


def test_a_change_in_a_large_checkpoint_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "LARGE", 1 << 16)
    path = tmp_path / "model.safetensors"
    weights = np.random.default_rng(0).normal(size=600_000)
    io.write_tensors(path, {"w": weights})
    before = identity.weights_digest(path)
    io.write_tensors(path, {"w": weights * 1.01})
    assert identity.weights_digest(path) != before
