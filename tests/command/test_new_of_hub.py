"""saegrid new: model, SAEs and texts of a hub, of which the heads are looked at."""

import shutil

import numpy as np
import pytest
import yaml

import foreign
from beginning import new
from checkpoints import write_safetensors
from loopback import COMMIT, serve, use
from saegrid.base.registry import pick
from saegrid.base.tensors import hollow
from saegrid.base.words import Site
from saegrid.config.check import resolve
from saegrid.saes import heads
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats import FORMATS

D = foreign.D


def test_model_sae_and_texts_of_a_hub_at_their_commits(work, capsys, monkeypatch):
    """Weights of model and SAE are not fetched; the heads of both are looked at."""
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        shutil.move(work / "model", hub.root / "some/model")
        big = np.zeros((200, 4000), np.float32)
        write_safetensors(hub.root / "some/model/model.safetensors", {"x": big})
        for layer, l0 in ((3, 71), (9, 20), (9, 110)):
            foreign.gemma_scope(
                hub.root / f"some/scope-res/layer_{layer}/width_16k/average_l0_{l0}"
            )
        (hub.root / "datasets/some/texts").mkdir(parents=True)
        for split in ("train", "test"):
            shutil.copy(work / "my.csv", hub.root / f"datasets/some/texts/{split}.csv")
        places = {"model": "some/model", "sae": "some/scope-res", "texts": ["some/texts"]}
        assert new("--name", "my", **places) == 0, capsys.readouterr().err
        config = yaml.safe_load((work / "config/my.yaml").read_text())
        resolve(config)
        fetched = hub.fetched()
    assert config["model"] == {"path": "some/model", "revision": COMMIT}
    assert config["saes"]["4x"] == {
        "source": "checkpoint",
        "format": "gemma_scope",
        "repo": "some/scope-res",
        "folder": "layer_9/width_16k/average_l0_110",
        "revision": COMMIT,
    }
    source = config["corpora"]["texts"]["source"]
    assert source["kind"] == "hub" and source["revision"] == COMMIT
    assert source["files"] == {"test": "test.csv", "train": "train.csv"}
    assert not any(path.startswith("some/model/model.safetensors") for path in fetched)
    assert len([path for path in fetched if path.endswith("params.npz")]) == 1


def test_a_name_that_the_hub_does_not_have(work, capsys, monkeypatch):
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        assert new(sae="some/where") == 1
    said = capsys.readouterr().err
    assert "some/where is no folder here, and the hub does not give it" in said
    assert "this folder has no some; it holds" in said


def test_a_name_like_one_that_was_fetched_before_is_named(work, capsys, monkeypatch):
    (work / "own/models--openai-community--gpt2").mkdir(parents=True)
    (work / "own/models--jbloom--GPT2-Small-SAEs-Reformatted").mkdir()
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        assert new(model="gpt2x", sae="jbloom/GPT2-Small") == 1
    model, sae = capsys.readouterr().err.splitlines()
    assert "Did you mean 'gpt2'?" in model
    assert "Did you mean 'jbloom/GPT2-Small-SAEs-Reformatted'?" in sae


def test_a_folder_that_a_repository_lacks_is_named(work, capsys, monkeypatch):
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        foreign.gemma_scope(hub.root / "some/scope/layer_3/width_16k/average_l0_71")
        assert new(sae="some/scope/layer_3/width_65k/average_l0_71") == 1
    assert (
        "some/scope/layer_3 has no width_65k; it holds width_16k. Did you mean 'width_16k'?"
    ) in capsys.readouterr().err


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("form", ["gemma_scope", "sparsify", "qwen_scope"])
def test_heads_of_files_are_enough_to_look_at_them(form, large, tmp_path, monkeypatch):
    """The copy of a large file has the shapes of its tensors, and none of its weights."""
    if large:
        monkeypatch.setattr(foreign, "F", 4096)
        for name, size in (("WHOLE", 500), ("DIRECTORY", 1500), ("MEMBER", 5000)):
            monkeypatch.setattr(heads, name, size)
    entry = pick(FORMATS, form, "format")
    with serve(tmp_path / "hub") as hub:
        use(hub, monkeypatch, tmp_path / "own")
        origin = foreign.MAKERS[form](hub.root / "some/saes/layers.3")
        for name in entry.files:
            heads.copy_head("some/saes", f"layers.3/{name}", COMMIT, tmp_path / "layers.3" / name)
        sent = sum(asked.sent for asked in hub.gets)
    weights = entry.files[-1]
    assert (tmp_path / "layers.3" / weights).stat().st_size == (origin / weights).stat().st_size
    assert not large or sent < (origin / weights).stat().st_size
    with hollow():
        reading = Reading(site=Site(3, "R"))
        sae = entry.open(tmp_path / "layers.3", norms=np.ones(()), reading=reading)
    assert (sae.encoder.d_model, sae.encoder.d_sae) == (D, foreign.F)
