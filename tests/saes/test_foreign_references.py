"""Checkpoints of other libraries from an SAE's section in the config to a cell's encoder."""

import numpy as np
import pytest

import foreign
from foreign import X
from saegrid.base.errors import CheckpointError
from saegrid.base.registry import pick
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats import FORMATS
from saegrid.saes.reference import import_sae, look, open_sae
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
