"""One choice of a checkpoint's files for every reader, and none outside of its folder."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from saegrid.base.errors import CheckpointError
from saegrid.models import layers, read_config
from saegrid.models.files import INDEX, WHOLE, check_config, files_read, model_files
from saegrid.models.identity import model_identity
from saegrid.models.load import load
from saegrid.models.tensors import tensor_files, tensor_rows
from toys import save, toy_llama

NORM = "model.norm.weight"


@pytest.fixture
def folder(tmp_path):
    """A llama in several files, as the hub keeps them."""
    toy_llama().model.save_pretrained(tmp_path / "model", max_shard_size="30KB")
    assert len(model_files(tmp_path / "model")) > 2
    return tmp_path / "model"


def settings(folder, **more):
    return {"path": str(folder), "revision": None, "dtype": "float32", "device": "cpu", **more}


def norms(folder) -> dict[str, list[float]]:
    """The final norm, as each reader reads it."""
    found = layers.architecture(settings(folder))
    opened = layers.open_layers(settings(folder), found, np.arange(3))
    return {
        "whole": dict(load(settings(folder)).body.named_parameters())["norm.weight"].tolist(),
        "blocks": dict(opened.shell.body.named_parameters())["norm.weight"].tolist(),
        "rows": tensor_rows(tensor_files(folder), NORM)[:].tolist(),
    }


def repoint(folder, name, tensor=NORM):
    """Have the index name another file for a tensor."""
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"][tensor] = name
    (folder / INDEX).write_text(json.dumps(index))


def changed(path, out, add):
    """A copy of a file of weights with another final norm."""
    tensors = load_file(path)
    tensors[NORM] = tensors[NORM] + add
    save_file(tensors, out, {"format": "pt"})


def test_all_readers_take_the_files_of_the_index(folder):
    found = norms(folder)
    assert found["whole"] == found["blocks"] == found["rows"]
    assert files_read(folder)[:2] == ["config.json", INDEX]


def test_files_that_the_index_does_not_name_are_not_read(folder, tmp_path):
    before, names = norms(folder), files_read(folder)
    identity = model_identity(settings(folder, weights="pretrained"), folder)
    with_norm = folder / json.loads((folder / INDEX).read_text())["weight_map"][NORM]
    # Mistral's own layout beside transformers', and a name that sorts last.
    changed(with_norm, folder / "consolidated.safetensors", 1)
    changed(with_norm, folder / "zzz.safetensors", 2)
    assert norms(folder) == before and files_read(folder) == names
    assert model_identity(settings(folder, weights="pretrained"), folder) == identity


def test_one_whole_file_comes_before_an_index_for_every_reader(folder):
    whole = {}
    for path in model_files(folder):
        whole |= load_file(path)
    whole[NORM] = whole[NORM] + 3
    save_file(whole, folder / WHOLE, {"format": "pt"})
    found = norms(folder)
    assert found["whole"] == found["blocks"] == found["rows"] == whole[NORM].tolist()
    assert files_read(folder) == ["config.json", WHOLE]


@pytest.mark.parametrize("name", ["../out.safetensors", "/{outside}", "a/../../out.safetensors"])
def test_an_index_that_leads_outside_is_refused_by_every_reader(folder, tmp_path, name):
    outside = tmp_path / "out.safetensors"
    changed(folder / json.loads((folder / INDEX).read_text())["weight_map"][NORM], outside, 1)
    name = name.replace("/{outside}", str(outside))
    (folder / "a").mkdir()
    repoint(folder, name)
    readers = [
        lambda: load(settings(folder)),
        lambda: layers.architecture(settings(folder)),
        lambda: tensor_files(folder),
        lambda: model_identity(settings(folder, weights="pretrained"), folder),
    ]
    for read in readers:
        with pytest.raises(CheckpointError) as error:
            read()
        assert str(error.value) == (
            f"{folder / INDEX}: weight_map.{NORM} names {name!r}; expected a *.safetensors within "
            "the folder, as files outside are never read. Fetch the index again."
        )


def test_links_of_the_hubs_own_cache_are_followed(folder, tmp_path):
    before = norms(folder)
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0123"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.copy(path, blobs / str(number))
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    assert norms(snapshot) == before
    untold = settings(folder, weights="pretrained")
    assert model_identity(untold, snapshot) == model_identity(untold, folder)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ("[]", "weight_map must map the names of tensors to files; got NoneType"),
        ('{"weight_map": {}}', "weight_map must map the names of tensors to files; got dict"),
        ('{"weight_map": {"a": 5}}', "weight_map.a names 5; expected a \\*.safetensors"),
        ('{"weight_map": {"a": "x.bin"}}', "weight_map.a names 'x.bin'; expected"),
        ("{", "this is no JSON"),
        ('{"weight_map": {"a": "x.safetensors"}}', "names x.safetensors, which is not there"),
    ],
)
def test_indices_that_cannot_be_used_are_named(tmp_path, index, sentence):
    (tmp_path / INDEX).write_text(index)
    with pytest.raises(CheckpointError, match=sentence) as error:
        model_files(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_weights_in_pickles_are_not_read_and_the_mend_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="it holds neither") as error:
        model_files(tmp_path)
    torch.save({"w": torch.ones(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError) as error:
        model_files(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: the weights are in pytorch_model.bin, a pickle, which is never read. Take a "
        "revision with model.safetensors, or save the model anew with "
        "save_pretrained(..., safe_serialization=True)."
    )


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"quantization_config": {"quant_method": "fp8"}}, r"are quantised \(.*, fp8\)"),
        ({"model_type": "own", "auto_map": {"AutoModel": "m.py"}}, r"code of its own \(auto_map\)"),
        ({"num_local_experts": 8}, r"mixture of 8 experts \(num_local_experts\)"),
        ({"num_experts": 128}, r"mixture of 128 experts \(num_experts\)"),
        ({"n_routed_experts": 64}, r"mixture of 64 experts \(n_routed_experts\)"),
        ({"transformers_weights": "x.safetensors"}, "transformers_weights names another file"),
    ],
)
def test_kinds_that_are_not_read_are_refused_by_both_readers(tmp_path, facts, sentence):
    folder = save(toy_llama(), tmp_path / "model")
    check_config(folder, read_config(folder))
    config = read_config(folder) | facts
    (folder / "config.json").write_text(json.dumps(config))
    for read in (load, layers.architecture):
        with pytest.raises(CheckpointError, match=sentence):
            read(settings(folder))
    for harmless in (
        {"num_experts": 1},
        {"n_routed_experts": None},
        {"quantization_config": None},
    ):
        check_config(folder, harmless)


def test_a_name_that_leads_to_a_folder_is_not_there(tmp_path):
    (tmp_path / INDEX).write_text('{"weight_map": {"a": "x.safetensors"}}')
    (tmp_path / "x.safetensors").mkdir()
    with pytest.raises(CheckpointError, match=r"names x\.safetensors, which is not there"):
        model_files(tmp_path)
