"""Block by block: the bytes of the whole pass, from where a killed or shallower capture stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from saegrid.base import io
from saegrid.base.errors import CheckpointError
from saegrid.base.words import POSITIONS, Site
from saegrid.capture import layers
from saegrid.capture.corpus import capture_corpus
from saegrid.capture.layers import capture_layers
from saegrid.capture.whole import capture_sites
from saegrid.models.forward import CaptureError
from saegrid.models.layers import architecture, open_layers
from saegrid.models.load import ModelError, fits, load
from saegrid.models.tiles import rows_of
from toys import NAMES, TOYS, random_rows, save, tokens_table, toy_gpt2, toy_llama

LENGTHS = [3, 17, 8, 9, 24, 1, 17, 40, 5, 12]
KINDS = {
    **{name: TOYS[name] for name in NAMES},
    "gqa in bfloat16": lambda **given: toy_llama(**given, kv_heads=1, dtype=torch.bfloat16),
    "sliding": lambda **given: toy_llama(**given, kind="mistral", sliding_window=4),
}


def quiet(line: str) -> None:
    pass


def sites_of(layers_, positions=POSITIONS):
    return [Site(layer, p) for layer in layers_ for p in positions]


def some_rows(vocab=64):
    rows = rows_of(tokens_table(random_rows(LENGTHS, vocab))[0])
    wanted = np.setdiff1d(np.arange(len(rows.ids)), rows.starts)[::2]
    return rows, wanted


def settings_of(model, folder: Path) -> dict:
    return {"path": str(save(model, folder)), "dtype": str(model.dtype).removeprefix("torch.")}


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("L*.safetensors"))}


def whole(settings, rows, wanted, sites, folder) -> dict[str, bytes]:
    capture_sites(load(settings), rows, wanted, sites, folder, "spec", quiet)
    return bytes_in(folder)


@pytest.mark.parametrize("family", KINDS)
def test_the_bytes_of_the_whole_pass(family, tmp_path):
    settings = settings_of(KINDS[family](layers=4), tmp_path / "model")
    rows, wanted = some_rows()
    sites = sites_of(range(4))
    expected = whole(settings, rows, wanted, sites, tmp_path / "whole")
    capture_layers(settings, rows, wanted, sites, tmp_path / "layers", "spec", quiet)
    assert bytes_in(tmp_path / "layers") == expected
    assert len(expected) == 32
    # B of a layer is R of the one before, and only its name differs.
    assert len(set(expected.values())) == 32


def test_a_checkpoint_in_shards_and_one_without_its_prefix(tmp_path):
    model = toy_llama(layers=3)
    rows, wanted = some_rows()
    one = settings_of(model, tmp_path / "one")
    model.model.save_pretrained(tmp_path / "many", max_shard_size="30KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 3
    bare = save(model, tmp_path / "bare") / "model.safetensors"
    save_file({k.removeprefix("model."): v for k, v in load_file(bare).items()}, bare)
    for name in ("one", "many", "bare"):
        settings = {**one, "path": str(tmp_path / name)}
        capture_layers(settings, rows, wanted, sites_of([1]), tmp_path / f"{name}-x", "", quiet)
    assert bytes_in(tmp_path / "one-x") == bytes_in(tmp_path / "many-x")
    assert bytes_in(tmp_path / "one-x") == bytes_in(tmp_path / "bare-x")


def read_layers(monkeypatch) -> list[int]:
    """The layers whose weights are read from now on."""
    read, seen = layers.Layers.read, []

    def watched(self, layer):
        seen.append(layer)
        return read(self, layer)

    monkeypatch.setattr(layers.Layers, "read", watched)
    return seen


def test_only_down_to_the_deepest_site(tmp_path, monkeypatch):
    settings = settings_of(toy_llama(layers=4), tmp_path / "model")
    rows, wanted = some_rows()
    seen = read_layers(monkeypatch)
    capture_layers(settings, rows, wanted, [Site(1, "A")], tmp_path / "x", "", quiet)
    assert seen == [0, 1]


def test_deeper_sites_go_on_from_what_is_kept(tmp_path, monkeypatch):
    settings = settings_of(toy_llama(layers=5), tmp_path / "model")
    rows, wanted = some_rows()
    expected = whole(settings, rows, wanted, sites_of(range(5)), tmp_path / "whole")
    seen, store = read_layers(monkeypatch), tmp_path / "x"

    def also(*here):
        seen.clear()
        capture_layers(settings, rows, wanted, sites_of(here), store, "spec", quiet)
        return list(seen)

    assert also(0, 2) == [0, 1, 2]
    assert also(3) == [3]
    # Shallower ones begin anew and leave the deepest stream where it is.
    assert also(1) == [0, 1]
    assert [p.name for p in store.glob("residual*")] == ["residual-L3.safetensors"]
    assert also(4) == [4]
    assert bytes_in(store) == expected
    assert list(store.glob("residual*")) == []  # no block follows the last


def test_another_text_or_spec_begins_anew(tmp_path, monkeypatch):
    settings = settings_of(toy_llama(layers=3), tmp_path / "model")
    rows, wanted = some_rows()
    seen = read_layers(monkeypatch)
    for spec, kept in (("one", wanted), ("two", wanted), ("two", wanted[1:])):
        capture_layers(settings, rows, kept, sites_of([0]), tmp_path / "x", spec, quiet)
        seen.clear()
    capture_layers(settings, rows, wanted, sites_of([1]), tmp_path / "x", "two", quiet)
    assert seen == [0, 1]
    assert len(list((tmp_path / "x").glob("residual*"))) == 1


@pytest.mark.parametrize("dies_in", [0, 2, 3])
def test_a_killed_capture_goes_on_behind_its_last_block(dies_in, tmp_path, monkeypatch):
    settings = settings_of(toy_llama(layers=4), tmp_path / "model")
    tokens, spans = tokens_table(random_rows(LENGTHS))
    choice = {"edited": False, "original": False, "context": "all", "seed": 0}
    sites = sites_of(range(4))

    def all_sites(name):
        paths = [tmp_path / name / f"{site}.safetensors" for site in sites]
        store = tmp_path / name / "store"
        capture_corpus(settings, tokens, spans, choice, paths, store, "spec", quiet, memory_mb=0)
        return bytes_in(tmp_path / name)

    expected = all_sites("undisturbed")
    write = layers.write

    def dying(store, x, wanted, spec):
        if Site(dies_in, "R") in x:
            raise KeyboardInterrupt
        write(store, x, wanted, spec)

    monkeypatch.setattr(layers, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        all_sites("killed")
    monkeypatch.setattr(layers, "write", write)
    seen = read_layers(monkeypatch)
    assert all_sites("killed") == expected
    assert seen == list(range(dies_in, 4))


def test_activations_beyond_memory_go_through_files(tmp_path, monkeypatch):
    settings = settings_of(toy_llama(layers=2), tmp_path / "model")
    rows, wanted = some_rows()
    expected = whole(settings, rows, wanted, sites_of(range(2)), tmp_path / "whole")
    monkeypatch.setattr(layers, "HELD", 0)
    capture_layers(settings, rows, wanted, sites_of(range(2)), tmp_path / "x", "spec", quiet)
    assert bytes_in(tmp_path / "x") == expected
    assert {p.suffix for p in (tmp_path / "x").iterdir()} == {".safetensors"}


def test_what_will_be_read_and_held_is_said_first(tmp_path):
    model = toy_llama(layers=3)
    settings = settings_of(model, tmp_path / "model")
    rows, wanted = some_rows()
    said = []
    capture_layers(settings, rows, wanted, sites_of([2], "AR"), tmp_path / "x", "", said.append)
    assert said[0].startswith("capture: block by block, 0 to 2: 0.00 GB to read, two blocks of ")
    assert f"2 sites, {len(wanted)} tokens kept" in said[0]
    n_tokens = 3 * sum(LENGTHS[i] for i in range(len(LENGTHS)) if i in rows.row_of(wanted))
    assert f"{n_tokens:,} of {n_tokens:,} tokens run" in said[-1]


def test_memory_decides(tmp_path):
    settings = settings_of(toy_llama(d=256, mlp=1024), tmp_path / "model")
    size = sum(p.stat().st_size for p in (tmp_path / "model").glob("*.safetensors"))
    assert size > 5_000_000
    # A gigabyte to run in, the weights, and a tenth of them.
    assert fits(settings, 1001 + int(1.1 * size / 1e6))
    assert not fits(settings, 1000 + int(1.1 * size / 1e6))
    assert fits({**settings, "weights": "random"}, 0)


# --- checks --------------------------------------------------------------------------------------


def test_a_block_is_checked_by_what_it_does(tmp_path, monkeypatch):
    settings = settings_of(toy_llama(), tmp_path / "model")
    rows, wanted = some_rows()
    found = architecture(settings)
    wrong = found.family.__class__(**{**vars(found.family), "attention": "self_attn.q_proj"})
    monkeypatch.setattr(layers, "architecture", lambda model: found._replace(family=wrong))
    with pytest.raises(ModelError, match=r"L0R must be the residual stream before it \+ A \+ M"):
        capture_layers(settings, rows, wanted, [Site(0, "R")], tmp_path / "x", "", quiet)


def test_nan_names_site_and_row(tmp_path):
    model = toy_llama(layers=2)
    model.blocks[1].mlp.down_proj.weight[0, 0] = torch.nan
    settings = settings_of(model, tmp_path / "model")
    rows, wanted = some_rows()
    with pytest.raises(ModelError, match="L1M holds NaN or infinity"):
        capture_layers(settings, rows, wanted, sites_of([1]), tmp_path / "x", "", quiet)


def test_unusable_rows_are_refused(tmp_path):
    settings = settings_of(toy_llama(vocab=32, context=16), tmp_path / "model")
    rows = rows_of(tokens_table([[1, 2, 3], [1, 2, 99]])[0])
    with pytest.raises(CaptureError, match=r"Row 1 has token id 99; .* knows 0 to 31"):
        capture_layers(settings, rows, np.array([1, 4]), [Site(0, "R")], tmp_path, "", quiet)
    rows = rows_of(tokens_table(random_rows([17], 32))[0])
    with pytest.raises(CaptureError, match=r"Row 0 has 17 tokens; .* takes at most 16"):
        capture_layers(settings, rows, np.array([1]), [Site(0, "R")], tmp_path, "", quiet)


def test_a_site_that_the_model_lacks(tmp_path):
    settings = settings_of(toy_llama(layers=2), tmp_path / "model")
    rows, wanted = some_rows()
    with pytest.raises(ModelError, match="has no site L2R: layers are 0 to 1"):
        capture_layers(settings, rows, wanted, [Site(2, "R")], tmp_path / "x", "", quiet)


@pytest.mark.parametrize("name", ["transformer.h.1.mlp.c_fc.weight", "transformer.wte.weight"])
def test_a_tensor_that_is_missing(name, tmp_path):
    settings = settings_of(toy_gpt2(), tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    tensors = load_file(path)
    del tensors[name]
    save_file(tensors, path)
    rows, wanted = some_rows()
    with pytest.raises(ModelError, match=f"the checkpoint lacks the tensor {name}"):
        capture_layers(settings, rows, wanted, sites_of([1]), tmp_path / "x", "", quiet)


def test_a_truncated_or_misshapen_file(tmp_path):
    settings = settings_of(toy_llama(), tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    rows, wanted = some_rows()
    config = tmp_path / "model" / "config.json"
    facts = json.loads(config.read_text())
    config.write_text(json.dumps({**facts, "intermediate_size": 128}))
    with pytest.raises(ModelError, match=r"must have shape \(.*\), as config.json says; got"):
        capture_layers(settings, rows, wanted, sites_of([1]), tmp_path / "x", "", quiet)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="the file is truncated"):
        open_layers(settings, architecture(settings), np.arange(4))
    path.write_bytes(b"\x05\0\0\0\0\0\0\0none!")
    with pytest.raises(CheckpointError, match="this is no safetensors file"):
        open_layers(settings, architecture(settings), np.arange(4))


def test_the_kept_stream_is_a_safetensors_file(tmp_path):
    model = toy_llama(layers=3)
    settings = settings_of(model, tmp_path / "model")
    rows, wanted = some_rows()
    capture_layers(settings, rows, wanted, sites_of([0]), tmp_path / "x", "spec", quiet)
    kept = load_file(tmp_path / "x" / "residual-L0.safetensors")["residual"]
    assert kept.shape[1] == 32
    assert io.read_header(tmp_path / "x" / "residual-L0.safetensors")["spec"] == "spec"
    x = load_file(tmp_path / "x" / "L0R.safetensors")["x"]
    assert {row.tobytes() for row in x} <= {row.tobytes() for row in kept}
