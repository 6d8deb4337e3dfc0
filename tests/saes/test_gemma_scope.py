"""Gemma Scope 1 and 2: the known answer, sites, transcoders, and what is refused."""

import json

import numpy as np
import pytest

from checkpoints import write_safetensors
from foreign import D, F, X, agree, jump, tensors, wide, write_json
from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import hollow
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats.gemma_scope import open_checkpoint
from saegrid.saes.formats.gemma_scope_2 import open_checkpoint as open_2
from saegrid.saes.sae import as_written, decode, encode

AT = Reading(site=Site(5, "R"))


def npz(folder, values, write=np.savez):
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "params.npz", **values)
    return folder


def reference(values, x=X):
    w = wide(values)
    z = jump(x @ w["W_enc"] + w["b_enc"], w["threshold"])
    return z, z @ w["W_dec"] + w["b_dec"]


# --- Gemma Scope ------------------------------------------------------------------------------


def test_a_known_answer_by_hand(tmp_path):
    """Two channels, three features; 0.5 on the threshold stays shut, -0.25 passes no ReLU."""
    values = {
        "W_enc": [[1, 0, 1], [0, 1, 0]],
        "W_dec": [[1, 0], [0, 2], [3, 3]],
        "b_enc": [0, -1, -1.25],
        "b_dec": [10, 20],
        "threshold": [0.5, 0.25, -1],
    }
    values = {name: np.array(value, np.float32) for name, value in values.items()}
    sae = open_checkpoint(npz(tmp_path, values), reading=AT)
    x = np.array([[0.5, 2.0], [1.0, 1.0], [2.0, 0.0]])
    z = [[0, 1, 0], [1, 0, 0], [2, 0, 0.75]]
    x_hat = [[10, 22], [11, 20], [14.25, 22.25]]
    np.testing.assert_array_equal(encode(sae.encoder, x), z)
    np.testing.assert_array_equal(decode(sae, np.array(z)), x_hat)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_gemma_scope(tmp_path, write):
    sae = open_checkpoint(npz(tmp_path, tensors(), write), reading=AT)
    agree(sae, *reference(tensors()))
    assert sae.site == Site(5, "R") and sae.writes is None and not sae.unit


def test_arrays_in_the_order_of_columns(tmp_path):
    values = {name: np.asfortranarray(value) for name, value in tensors().items()}
    agree(open_checkpoint(npz(tmp_path, values), reading=AT), *reference(tensors()))


def test_names_in_small_letters(tmp_path):
    values = {name.replace("W_", "w_"): value for name, value in tensors().items()}
    agree(open_checkpoint(npz(tmp_path, values), reading=AT), *reference(tensors()))


def test_the_sae_of_the_embeddings_reads_them_before_they_are_scaled(tmp_path):
    sae = open_checkpoint(npz(tmp_path, tensors()), reading=Reading(site=Site(0, "B")))
    z, x_hat = reference(tensors(), X / np.sqrt(D))
    agree(sae, z, x_hat * np.sqrt(D))


def test_uncompressed_arrays_are_mapped(tmp_path):
    from saegrid.base.npz import open_npz

    plain = open_npz(npz(tmp_path / "a", tensors()) / "params.npz")
    packed = open_npz(npz(tmp_path / "b", tensors(), np.savez_compressed) / "params.npz")
    assert set(plain.places) == set(tensors()) and not packed.places
    raw = (tmp_path / "a" / "params.npz").read_bytes()
    for name, value in tensors().items():
        assert raw[plain.places[name] :][: value.nbytes] == value.tobytes()


def test_only_headers_are_read_of_a_hollow_file(tmp_path):
    npz(tmp_path, tensors())
    with hollow():
        sae = open_checkpoint(tmp_path, norms=np.ones(()), reading=AT)
    assert sae.encoder.d_sae == F and not sae.encoder.rows(0, F).any()


TRANSCODES = Reading(site=Site(5, "H"), writes=Site(5, "M"))


def test_a_transcoder_by_hand(tmp_path):
    """The token (1, 7) has the mean square 25, and is 0.2, 1.4 before the gain of the norm."""
    values = {
        "W_enc": [[1, 0, 5], [0, 1, 0]],
        "W_dec": [[1, 0], [0, 2], [3, 3]],
        "b_enc": [0, -1, -0.5],
        "b_dec": [10, 20],
        "threshold": [0.25, 0.25, 0],
    }
    values = {name: np.array(value, np.float32) for name, value in values.items()}
    sae = open_checkpoint(npz(tmp_path, values), reading=TRANSCODES)
    x, z = np.array([[1.0, 7.0]]), [[0, 0.4, 0.5]]
    np.testing.assert_allclose(encode(sae.encoder, x), z, atol=1e-6)
    y_hat = as_written(sae, x, decode(sae, np.array(z)))
    np.testing.assert_allclose(y_hat, [[11.5, 22.3]], rtol=1e-6)
    assert (sae.site, sae.writes) == (TRANSCODES.site, TRANSCODES.writes)
    (folded,) = sae.facts["folded"]
    assert folded == "stream divided by sqrt(mean square + 1e-06), the norm before its gain"


def test_transcoders_of_gemma_scope(tmp_path):
    """Small tokens too, on which the addend to the mean square shows."""
    x = X * np.where(np.arange(len(X)) % 3, 1, 1e-3)[:, None]
    normalised = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-6)
    sae = open_checkpoint(npz(tmp_path, tensors()), reading=TRANSCODES)
    agree(sae, *reference(tensors(), normalised), x)


@pytest.mark.parametrize(
    "site, writes, words",
    [
        ("L5I", "L5M", "I is behind it.*the config has L5I and writes L5M"),
        ("L5H", "L5R", "has L5H and writes L5R"),
        ("L5H", None, "at H this format has transcoders alone. Set `writes: m`"),
    ],
)
def test_other_places_of_a_transcoder(tmp_path, site, writes, words):
    asked = Reading(site=Site.parse(site), writes=Site.parse(writes) if writes else None)
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(npz(tmp_path, tensors()), reading=asked)


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"log_scale": np.ones(F)}, "'log_scale' is not known"),
        ({"threshold": None}, "'threshold' is missing"),
        ({"threshold": np.ones(F + 1, np.float32)}, r"must have shape \(32,\)"),
        ({"W_enc": np.ones(F, np.float32)}, "must have two axes"),
        ({"W_dec": np.ones((F, 2, D), np.float32)}, "cross-layer transcoder"),
        ({"scaling_factor": np.full(F, 2.0)}, "'scaling_factor' is not 1 everywhere"),
        ({"b_dec": np.array([None] * D)}, "holds object"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path, changed, words):
    values = {n: v for n, v in {**tensors(), **changed}.items() if v is not None}
    with pytest.raises(CheckpointError, match=words) as caught:
        open_checkpoint(npz(tmp_path, values), reading=AT)
    assert str(tmp_path) in str(caught.value)


def test_a_scaling_factor_of_one_changes_nothing(tmp_path):
    values = {**tensors(), "scaling_factor": np.ones(F, np.float32)}
    agree(open_checkpoint(npz(tmp_path, values), reading=AT), *reference(tensors()))


@pytest.mark.parametrize("cut", [0, 100, -200])
def test_a_damaged_file_is_named(tmp_path, cut):
    path = npz(tmp_path, tensors()) / "params.npz"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match="npz file, or it is damaged"):
        open_checkpoint(tmp_path, reading=AT)


@pytest.mark.parametrize("flag, at", [("encrypted", 6), ("packed", 8)])
def test_members_that_cannot_be_read(tmp_path, flag, at):
    """The flags and the method of compression in the directory of the zip are changed."""
    path = npz(tmp_path, tensors()) / "params.npz"
    raw = bytearray(path.read_bytes())
    for signature, shift in ((b"PK\x01\x02", 2), (b"PK\x03\x04", 0)):
        start = raw.index(signature) + at + shift
        raw[start] = 1 if flag == "encrypted" else 8
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="npz file, or it is damaged"):
        open_checkpoint(tmp_path, reading=AT)


def test_a_folder_without_the_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"params\.npz: the file is not there"):
        open_checkpoint(tmp_path, reading=AT)


def test_the_file_that_failed(failing):
    folder = failing / "sae" / "gemma_scope_npz"
    with np.load(folder / "params.npz", allow_pickle=False) as file:
        values = dict(file)
    agree(open_checkpoint(folder, reading=AT), *reference(values))


# --- Gemma Scope 2 ----------------------------------------------------------------------------

LAYER = "model.layers.17."
RESIDUAL = {"hf_hook_point_in": LAYER + "output", "hf_hook_point_out": LAYER + "output"}
TRANSCODER = {
    "hf_hook_point_in": LAYER + "pre_feedforward_layernorm.output",
    "hf_hook_point_out": LAYER + "post_feedforward_layernorm.output",
    "type": "transcoder",
}


def newer(folder, values, facts=None, **changed):
    cfg = {"width": F, "model_name": "google/gemma-3-4b-pt", "architecture": "jump_relu"}
    cfg |= {"l0": 150, "affine_connection": False, "type": "sae", **RESIDUAL, **(facts or {})}
    write_json(folder / "config.json", cfg | changed)
    small = {name.replace("W_", "w_"): np.asarray(value) for name, value in values.items()}
    write_safetensors(folder / "params.safetensors", small)
    return folder


@pytest.mark.parametrize(
    "place, position",
    [
        ("output", "R"),
        ("self_attn.o_proj.input", "Z"),
        ("post_feedforward_layernorm.output", "M"),
    ],
)
def test_gemma_scope_2(tmp_path, place, position):
    hooks = {"hf_hook_point_in": LAYER + place, "hf_hook_point_out": LAYER + place}
    sae = open_2(newer(tmp_path, tensors(), hooks))
    agree(sae, *reference(tensors()))
    assert sae.site == Site(17, position) and sae.writes is None


@pytest.mark.parametrize("affine", [False, True])
def test_transcoders_of_gemma_scope_2(tmp_path, affine):
    values = tensors(d_out=D + 2)
    skip = np.random.default_rng(0).normal(size=(D, D + 2)).astype(np.float32)
    more = {"affine_skip_connection": skip} if affine else {}
    sae = open_2(newer(tmp_path, values | more, TRANSCODER, affine_connection=affine))
    z, y_hat = reference(values)
    agree(sae, z, y_hat + X @ skip.astype(np.float64) if affine else y_hat)
    assert sae.site == Site(17, "I") and sae.writes == Site(17, "M")


def test_a_folder_without_a_config_is_read_as_gemma_scope(tmp_path):
    newer(tmp_path, tensors())
    (tmp_path / "config.json").unlink()
    asked = Reading(site=Site(17, "I"), writes=Site(17, "M"), file="params.safetensors")
    sae = open_checkpoint(tmp_path, reading=asked)
    agree(sae, *reference(tensors()))
    assert sae.site == Site(17, "I") and sae.writes == Site(17, "M")


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"architecture": "topk"}, "architecture is 'topk'"),
        ({"type": "clt"}, "type is 'clt', which reads or writes several layers"),
        ({"type": "crosscoder"}, "several layers"),
        ({"type": "transcoder"}, "type is 'transcoder', but it reads L17R and writes L17R"),
        ({"affine_connection": True}, "affine_connection is True, but"),
        ({"hf_hook_point_in": "model.layers.3.mlp.hook"}, "hf_hook_point_in is .* no site"),
        ({"rescale": 2}, "rescale is not known here"),
        ({**TRANSCODER, "type": "sae"}, "type is 'sae', but it reads L17I and writes L17M"),
    ],
)
def test_keys_of_gemma_scope_2_that_are_refused(tmp_path, changed, words):
    with pytest.raises(CheckpointError, match=words):
        open_2(newer(tmp_path, tensors(), **changed))


def test_a_key_that_the_config_ignores(tmp_path):
    folder = newer(tmp_path, tensors(), note="by hand")
    agree(open_2(folder, reading=Reading(ignore=("note",))), *reference(tensors()))
    assert "note" in json.loads((folder / "config.json").read_text())
