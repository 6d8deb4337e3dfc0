"""Checkpoints of other libraries from an SAE's section in the config to a cell's encoder."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import foreign
from foreign import X
from loopback import COMMIT, serve, use
from saegrid.base import io
from saegrid.base.errors import CheckpointError
from saegrid.base.registry import pick
from saegrid.base.words import Site
from saegrid.saes.cache import FOLDER
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats import FORMATS, sae_lens
from saegrid.saes.parts import RECTIFIED
from saegrid.saes.reference import described, import_sae, look, open_sae, resolve
from saegrid.saes.sae import encode

CELLS = {
    "circuit_tracer": ("L0I-tc", {"writes": "m"}),
    "dictionary_learning": ("L7R-ae", {}),
    "gemma_scope": ("L5Z-16k", {}),
    "gemma_scope_2": ("L17R-16k", {}),
    "llamascopium": ("L15R-8x", {}),
    "mwhanna_transcoder": ("L0I-tc", {"writes": "m"}),
    "qwen_scope": ("L0R-32k", {}),
    "sparsify": ("L3R-32x", {}),
}


def section(tmp_path, name):
    folder = foreign.MAKERS[name](tmp_path / "layers.3")
    cell, more = CELLS[name]
    return cell, {"format": name, "path": str(folder), **more}


@pytest.mark.parametrize("name", foreign.MAKERS)
def test_a_reference_gives_the_same_codes(tmp_path, name):
    cell, sae = section(tmp_path, name)
    assert look(sae, cell).encoder.d_sae == foreign.F
    place = tmp_path / "saes" / cell
    import_sae(sae, cell, place / "reference.json", place / "decoder_norms.safetensors")
    with open_sae(place) as opened:
        site = opened.site
        codes = encode(opened.encoder, X)
    direct = pick(FORMATS, name, "format").open(sae["path"], reading=Reading(site=site))
    np.testing.assert_allclose(codes, encode(direct.encoder, X), rtol=1e-6)
    assert (codes > 0).any()


@pytest.mark.parametrize("name", [name for name in CELLS if name != "gemma_scope"])
def test_another_layer_is_refused(tmp_path, name):
    cell, sae = section(tmp_path, name)
    other = cell.replace(cell[1 : cell.index("-") - 1], "9")
    with pytest.raises(CheckpointError, match=f"but the cell {other} needs"):
        look(sae, other)


@pytest.mark.parametrize("name", ["circuit_tracer", "mwhanna_transcoder"])
def test_a_transcoder_must_be_said(tmp_path, name):
    cell, sae = section(tmp_path, name)
    del sae["writes"]
    with pytest.raises(CheckpointError, match="writes: m"):
        look(sae, cell)


@pytest.mark.parametrize("name", foreign.MAKERS)
@pytest.mark.parametrize(
    "setting, words", [("centred", "centred is true"), ("input_scale", "input_scale is")]
)
def test_settings_of_other_formats_are_refused(tmp_path, name, setting, words):
    cell, sae = section(tmp_path, name)
    with pytest.raises(CheckpointError, match=words):
        look(sae | {setting: True if setting == "centred" else 0.5}, cell)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    cell, sae = section(tmp_path, "gemma_scope")
    values = foreign.tensors()
    values["threshold"][3] = np.nan
    np.savez(tmp_path / "layers.3" / "params.npz", **values)
    place = tmp_path / "saes"
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        import_sae(sae, cell, place / "reference.json", place / "norms.safetensors")


@pytest.mark.parametrize("size", ["D", "F"])
@pytest.mark.parametrize("name", [name for name in foreign.MAKERS if name != "llamascopium"])
def test_no_features_or_no_channels(tmp_path, name, size, monkeypatch):
    monkeypatch.setattr(foreign, size, 0)
    cell, sae = section(tmp_path, name)
    monkeypatch.undo()
    words = "no features or no channels; it needs one" if name != "sparsify" or size == "D" else "0"
    with pytest.raises(CheckpointError, match=words):
        look(sae, cell)


@pytest.mark.parametrize("d_in, d_sae", [(0, 5), (5, 0)])
def test_no_features_or_no_channels_of_sae_lens(tmp_path, d_in, d_sae):
    shapes = {"W_enc": (d_in, d_sae), "b_enc": d_sae, "W_dec": (d_sae, d_in), "b_dec": d_in}
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    cfg = sae_lens.config("standard", Site(1, "R"), d_in, d_sae)
    sae_lens.write_sae_lens(tmp_path, cfg, tensors)
    with pytest.raises(CheckpointError, match="no features or no channels"):
        look({"format": "sae_lens", "path": str(tmp_path)}, "L1R-x")


# --- damaged files ----------------------------------------------------------------------------


def damaged(raw, rng):
    """A file that was cut, of which a part is zero, or some bytes of which are others."""
    raw, n = bytearray(raw), len(raw)
    at, kind = int(rng.integers(n)), rng.integers(4)
    if kind == 0:
        return bytes(raw[:at])
    if kind == 1:
        raw[at : at + 2000] = bytes(len(raw[at : at + 2000]))
    else:
        places = rng.integers(n, size=30) if kind == 2 else [n - 1 - int(rng.integers(min(n, 900)))]
        for place in places:
            raw[place] = rng.integers(256)
    return bytes(raw)


@pytest.mark.parametrize("name", foreign.MAKERS)
def test_a_damaged_file_ends_in_one_sentence_or_is_read(tmp_path, name):
    """Whatever was damaged: nothing but a sentence that names the file, or numbers."""
    cell, sae = section(tmp_path, name)
    told = 0
    for path in sorted((tmp_path / "layers.3").iterdir()):
        raw, rng = path.read_bytes(), np.random.default_rng(3)
        for _ in range(60):
            path.write_bytes(damaged(raw, rng))
            try:
                reading = Reading.of(sae, Site.parse(cell.partition("-")[0]))
                pick(FORMATS, name, "format").open(sae["path"], reading=reading)
            except CheckpointError as problem:
                assert path.name in str(problem) and "\n" not in str(problem)
                told += 1
        path.write_bytes(raw)
    assert told > 20


@pytest.mark.parametrize("name", ["config.json", "sae_weights.safetensors"])
def test_a_file_that_may_not_be_read(tmp_path, name, monkeypatch):
    cell, sae = section(tmp_path, "llamascopium")
    whole = Path.open

    def refused(self, *args, **more):
        if self.name == name:
            raise PermissionError(13, "Permission denied")
        return whole(self, *args, **more)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(CheckpointError, match=rf"{name}: the file cannot be read: Permission den"):
        look(sae, cell)


# --- from the hub -----------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with serve(tmp_path / "hub") as served:
        use(served, monkeypatch, tmp_path / "own")
        monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
        yield served


def codes_of(place, sae, cell):
    import_sae(sae, cell, place / "reference.json", place / "decoder_norms.safetensors")
    with open_sae(place) as opened:
        return encode(opened.encoder, X)


@pytest.mark.parametrize("name", foreign.MAKERS)
def test_the_hub_gives_the_same_codes(tmp_path, hub, name):
    cell, more = CELLS[name]
    local = foreign.MAKERS[name](hub.root / "some/saes/layers.3")
    remote = {"repo": "some/saes", "folder": "layers.3", "revision": COMMIT}
    one, other = (
        codes_of(tmp_path / f"{side}/saes" / cell, {"format": name, **where, **more}, cell)
        for side, where in (("local", {"path": str(local)}), ("hub", remote))
    )
    np.testing.assert_array_equal(one, other)
    assert (one > 0).any()


def test_files_that_not_every_checkpoint_has_come_along(tmp_path, hub):
    """The factor of SAELens' activation_scaler.json, without which such an SAE is refused."""
    folder = hub.root / "some/saes/scaled"
    rng = np.random.default_rng(0)
    tensors = {"W_enc": rng.normal(size=(8, 32)), "W_dec": rng.normal(size=(32, 8))}
    tensors |= {"b_enc": np.zeros(32), "b_dec": np.zeros(8)}
    cfg = sae_lens.config("standard", Site(0, "R"), 8, 32)
    cfg["normalize_activations"] = "expected_average_only_in"
    weights = {key: value.astype(np.float32) for key, value in tensors.items()}
    sae_lens.write_sae_lens(folder, cfg, weights)
    sae = {"format": "sae_lens", "repo": "some/saes", "folder": "scaled", "revision": COMMIT}
    with pytest.raises(CheckpointError, match="activation_scaler"), resolve(sae) as lease:
        pick(FORMATS, "sae_lens", "format").open(lease.folder, reading=Reading(site=Site(0, "R")))
    shutil.rmtree(tmp_path / "cache")
    (folder / "activation_scaler.json").write_text('{"scaling_factor": 0.5}')
    place = tmp_path / "saes/L0R-x"
    import_sae(sae, "L0R-x", place / "reference.json", place / "decoder_norms.safetensors")
    with open_sae(place) as opened:
        np.testing.assert_array_equal(opened.encoder.scale, np.full(32, 0.5))


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("above 0.5", "a feature fires where its value before the gate is above 0.5"),
        ("above 0 to 1.23 by feature", "is above its own threshold, between 0 and 1.23"),
        ("the 32 largest of a token", "those features fire that are the 32 largest of a token"),
    ],
)
def test_a_reference_is_described_in_plain_words(tmp_path, gate, said):
    facts = {"hook": "as the config says", "gate": gate, "folded": [RECTIFIED], "k": None}
    io.write_json(tmp_path / "reference.json", {"format": "sparsify", "facts": facts}, "{}")
    words = described(tmp_path / "reference.json")
    assert words.startswith("format sparsify; its files name no place in the model, so it is read")
    assert said in words and f"changed as it was read: {RECTIFIED}" in words
    assert "as the config says" not in words and "None" not in words
