"""The folder in which the tests of `saegrid new` work."""

import pytest

import foreign
from foreign import write_model


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder like the repository, with a model, an SAE and texts."""
    (tmp_path / "Snakefile").touch()
    (tmp_path / "workflow").mkdir()
    (tmp_path / "config").mkdir()
    write_model(tmp_path / "model")
    foreign.sparsify(tmp_path / "sae/layers.3")
    (tmp_path / "my.csv").write_text("text\nA cat sat.\nThe dog ran.\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path
