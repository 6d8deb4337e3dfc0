"""Exports: what SAELens' own formula makes of the files is what the SAE is here."""

import json
import subprocess
import sys

import numpy as np
import pytest
from test_formats import MAKERS
from test_sae_lens_kinds import CENTRED, HOOK, MLP, X, written

import foreign
from checkpoints import llama_scope
from saegrid.base.errors import CheckpointError
from saegrid.base.io import read_tensors
from saegrid.base.registry import pick
from saegrid.base.words import Site
from saegrid.saes.cfg import SCALER
from saegrid.saes.checkpoint import READ, Reading
from saegrid.saes.export import export, main
from saegrid.saes.formats import FORMATS
from saegrid.saes.formats.gemma_scope import open_checkpoint as open_gemma
from saegrid.saes.formats.llama_scope import open_checkpoint as open_llama_scope
from saegrid.saes.formats.sae_lens import open_checkpoint
from saegrid.saes.known import words
from saegrid.saes.reference import NORMS, REFERENCE, import_sae
from saegrid.saes.sae import as_written, decode, encode

NEEDED_BY_5 = words(
    """
    architecture d_in d_sae activation_fn_str apply_b_dec_to_input context_size model_name
    hook_name hook_layer hook_head_index prepend_bos dataset_path normalize_activations dtype device
    """
)
"""Keys without which SAELens 5 does not read a file, or reads another SAE."""


def by_sae_lens(folder, x):
    """z and x_hat by the formulas of SAELens 5 and 6 from the files alone, in float64."""
    cfg = json.loads((folder / "cfg.json").read_text())
    w = {
        k: v.astype(np.float64) for k, v in read_tensors(folder / "sae_weights.safetensors").items()
    }
    assert not cfg["apply_b_dec_to_input"]
    if cfg["model_from_pretrained_kwargs"]["center_writing_weights"]:
        x = x - x.mean(axis=1, keepdims=True)
    mean, size = np.zeros((len(x), 1)), np.ones((len(x), 1))
    fed = x
    if cfg["normalize_activations"] == "layer_norm":
        mean, size = x.mean(axis=1, keepdims=True), x.std(axis=1, ddof=1, keepdims=True)
        fed = (x - mean) / (size + 1e-5)
    elif cfg["normalize_activations"] == "constant_norm_rescale":
        size = np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(x.shape[1])
        fed = x / size
    else:
        assert cfg["normalize_activations"] == "none"
    h = fed @ w["W_enc"] + w["b_enc"]
    if cfg["architecture"] == "topk":
        assert cfg["activation_fn_str"] == "topk" and cfg["activation_fn_kwargs"] == {"k": cfg["k"]}
        kept = np.argsort(np.argsort(-h, axis=1), axis=1) < cfg["k"]
    else:
        assert cfg["architecture"].startswith("jumprelu") and cfg["activation_fn_str"] == "relu"
        kept = h > w["threshold"]
    z = np.maximum(h, 0) * kept
    x_hat = (z @ w["W_dec"] + w["b_dec"]) * size + mean
    return z, x_hat + (x @ w["W_skip"].T if "skip" in cfg["architecture"] else 0)


def gated(folder):
    written(folder, "gated", more=("b_gate", "b_mag", "r_mag"))


def averaged(folder):
    written(folder, "jumprelu", more=("threshold",), normalize_activations=True)
    (folder / SCALER).write_text('{"scaling_factor": 0.37}')


def transcoder(skip):
    name, more = ("jumprelu_skip_transcoder", ("W_skip",)) if skip else ("jumprelu_transcoder", ())
    more = ("threshold", *more)
    return lambda to: written(to, name, 9, more, HOOK | MLP, apply_b_dec_to_input=False)


SAES = {
    "standard": written,
    "jumprelu": lambda to: written(to, "jumprelu", more=("threshold",)),
    "topk": lambda to: written(to, "topk", k=5),
    "topk rescaled": lambda to: written(to, "topk", k=5, rescale_acts_by_decoder_norm=True),
    "gated": gated,
    "centred": lambda to: written(to, metadata=HOOK | CENTRED),
    "averaged": averaged,
    "layer_norm": lambda to: written(to, normalize_activations="layer_norm"),
    "constant_norm": lambda to: written(to, normalize_activations="constant_norm_rescale"),
    "hook_z": lambda to: written(to, metadata=HOOK | {"hook_name": "blocks.7.attn.hook_z"}),
    "embeddings": lambda to: written(to, metadata=HOOK | {"hook_name": "blocks.0.hook_resid_pre"}),
    "transcoder": transcoder(skip=False),
    "skip transcoder": transcoder(skip=True),
}


@pytest.mark.parametrize("name", SAES)
def test_any_sae_is_the_same_for_sae_lens(tmp_path, name):
    source, to = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    SAES[name](source)
    sae = open_checkpoint(source)
    export(sae, to)
    z = encode(sae.encoder, X)
    expected, x_hat = by_sae_lens(to, X)
    assert (z > 0).any()
    np.testing.assert_array_equal(expected > 0, z > 0)
    np.testing.assert_allclose(expected, z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(x_hat, as_written(sae, X, decode(sae, z)), rtol=1e-4, atol=1e-4)
    cfg = json.loads((to / "cfg.json").read_text())
    assert set(cfg) >= NEEDED_BY_5
    assert cfg.get("reshape_activations") == ("hook_z" if name == "hook_z" else "none")


@pytest.mark.parametrize("name", SAES)
def test_an_export_is_read_here_as_it_was(tmp_path, name):
    source, to = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    SAES[name](source)
    sae = open_checkpoint(source)
    export(sae, to)
    again = open_checkpoint(to)
    assert again.site.is_same(sae.site) and again.writes == sae.writes
    assert (again.encoder.k, again.encoder.centred) == (sae.encoder.k, sae.encoder.centred)
    assert again.encoder.front == sae.encoder.front
    np.testing.assert_allclose(
        encode(again.encoder, X), encode(sae.encoder, X), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_for_sae_lens(tmp_path, name):
    folder = MAKERS[name](tmp_path / "from")
    reading = Reading(site=Site(7, "R"), writes=None)
    sae = pick(FORMATS, name, "format").open(folder, reading=reading)
    x = np.random.default_rng(1).normal(size=(100, sae.encoder.d_model)) * 2
    z = encode(sae.encoder, x)
    export(sae, tmp_path / "to")
    expected, x_hat = by_sae_lens(tmp_path / "to", x)
    assert (z > 0).any()
    np.testing.assert_array_equal(expected > 0, z > 0)
    np.testing.assert_allclose(expected, z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(x_hat, as_written(sae, x, decode(sae, z)), rtol=1e-4, atol=1e-4)


def test_llama_scope_for_sae_lens(tmp_path):
    sae = open_llama_scope(llama_scope(tmp_path / "from"))
    export(sae, tmp_path / "to")
    x = np.random.default_rng(5).normal(size=(200, sae.encoder.d_model)) * 3
    z = encode(sae.encoder, x)
    expected, x_hat = by_sae_lens(tmp_path / "to", x)
    np.testing.assert_array_equal(expected > 0, z > 0)
    np.testing.assert_allclose(expected, z, rtol=1e-5)
    np.testing.assert_allclose(x_hat, decode(sae, z), atol=1e-4)
    norms = np.linalg.norm(
        read_tensors(tmp_path / "to" / "sae_weights.safetensors")["W_dec"], axis=1
    )
    np.testing.assert_allclose(norms, 1, rtol=1e-6)


def test_a_transcoder_before_the_gain_of_a_norm(tmp_path):
    """SAELens names the hook point, which has the norm's numbers; here they are the site H."""
    source, x = MAKERS["gemma_scope"](tmp_path / "from"), foreign.X
    sae = open_gemma(source, reading=Reading(site=Site(7, "H"), writes=Site(7, "M")))
    z = encode(sae.encoder, x)
    export(sae, tmp_path / "to")
    normalised = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-6)
    expected, y_hat = by_sae_lens(tmp_path / "to", normalised)
    np.testing.assert_array_equal(expected > 0, z > 0)
    np.testing.assert_allclose(y_hat, as_written(sae, x, decode(sae, z)), rtol=1e-4, atol=1e-4)
    cfg = json.loads((tmp_path / "to" / "cfg.json").read_text())
    assert cfg["metadata"]["hook_name"] == "blocks.7.ln2.hook_normalized"
    assert cfg["normalize_activations"] == "none"
    again = open_checkpoint(tmp_path / "to")
    assert (again.site, again.writes) == (sae.site, sae.writes) == (Site(7, "H"), Site(7, "M"))
    np.testing.assert_allclose(encode(again.encoder, x), z, rtol=1e-5, atol=1e-5)


def test_what_sae_lens_has_not_is_not_exported(tmp_path):
    (tmp_path / "from").mkdir()
    out = {"hook_name_out": "blocks.7.hook_mlp_out"}
    written(tmp_path / "from", "topk", metadata=HOOK | out, k=5, apply_b_dec_to_input=False)
    with pytest.raises(CheckpointError, match="is a transcoder with k 5; SAELens has"):
        export(open_checkpoint(tmp_path / "from"), tmp_path / "to")
    written(tmp_path / "from", metadata={})
    with pytest.raises(CheckpointError, match="does not say which site it reads"):
        export(open_checkpoint(tmp_path / "from", reading=READ), tmp_path / "to")
    export(open_checkpoint(tmp_path / "from", reading=Reading(site=Site(2, "R"))), tmp_path / "to")
    assert str(open_checkpoint(tmp_path / "to").site) == "L2R"


def test_the_command_exports_the_sae_of_a_cell(tmp_path):
    source, cell, to = tmp_path / "from", tmp_path / "saes" / "L7R-x", tmp_path / "to"
    source.mkdir(), cell.mkdir(parents=True)
    averaged(source)
    import_sae({"format": "sae_lens", "path": str(source)}, "L7R-x", cell / REFERENCE, cell / NORMS)
    main(str(cell), str(to))
    sae = open_checkpoint(source)
    np.testing.assert_allclose(by_sae_lens(to, X)[0], encode(sae.encoder, X), rtol=1e-5, atol=1e-5)
    with pytest.raises(CheckpointError, match="this exists already; name another folder"):
        main(str(cell), str(to))
    with pytest.raises(CheckpointError, match="there is no such folder"):
        main(str(tmp_path / "nowhere"), str(tmp_path / "other"))


def test_the_command_says_how_it_is_called():
    command = [sys.executable, "-m", "saegrid.saes.export"]
    helped = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "results/<study>/saes/<cell> <folder>" in helped.stdout
    wrong = subprocess.run([*command, "a", "b"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1 and wrong.stderr.strip().endswith("results/<study>/saes/<cell>.")
