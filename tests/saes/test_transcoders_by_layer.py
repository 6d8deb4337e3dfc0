"""Formats with a file a layer: circuit-tracer with and without a config, and Qwen Scope."""

import json

import numpy as np
import pytest
import torch

from checkpoints import write_safetensors
from foreign import D, F, X, agree, jump, relu, tensors, topk, wide, write_json
from saegrid.base.errors import CheckpointError
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats.circuit_tracer import open_alone, open_checkpoint
from saegrid.saes.formats.qwen_scope import open_checkpoint as open_qwen

LAYER_7 = Reading(file="layer_7.safetensors")
SKIP = np.random.default_rng(4).normal(size=(D, D)).astype(np.float32)
CONFIG = {
    "model_name": "Qwen/Qwen3-4B",
    "model_kind": "transcoder_set",
    "feature_input_hook": "mlp.hook_in",
    "feature_output_hook": "mlp.hook_out",
    "scan": "somewhere",
}


def write(folder, more=None, **changed):
    w = tensors()
    named = {"W_enc": w["W_enc"].T.copy(), "W_dec": w["W_dec"], "b_enc": w["b_enc"]}
    write_safetensors(folder / LAYER_7.file, named | {"b_dec": w["b_dec"]} | (more or {}))
    write_json(folder / "config.yaml", CONFIG | changed)  # JSON is YAML
    return folder


def reference(threshold=None, skip=False, x=X):
    w = wide(tensors())
    pre = x @ w["W_enc"] + w["b_enc"]
    z = relu(pre) if threshold is None else jump(pre, threshold.astype(np.float64))
    y_hat = z @ w["W_dec"] + w["b_dec"]
    return z, y_hat + x @ SKIP.T.astype(np.float64) if skip else y_hat


@pytest.mark.parametrize("open_one", [open_checkpoint, open_alone])
def test_transcoders(tmp_path, open_one):
    sae = open_one(write(tmp_path), reading=LAYER_7)
    agree(sae, *reference())
    assert sae.site == Site(7, "I") and sae.writes == Site(7, "M")


@pytest.mark.parametrize("text", ["[" * 100_000, "a: [1\n, 2", "\x00"])
def test_a_config_that_is_no_yaml(tmp_path, text):
    write(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"^\S+config\.yaml: this is no YAML: [^\n]+\.$"):
        open_checkpoint(tmp_path, reading=LAYER_7)


def test_thresholds_and_a_skip(tmp_path):
    threshold = np.abs(tensors()["threshold"])
    more = {"activation_function.threshold": threshold, "W_skip": SKIP}
    agree(open_checkpoint(write(tmp_path, more), reading=LAYER_7), *reference(threshold, True))


def test_one_threshold_for_all(tmp_path):
    folder = write(tmp_path, {"activation_function.threshold": np.array(0.5, np.float32)})
    agree(open_checkpoint(folder, reading=LAYER_7), *reference(np.full(F, 0.5)))


def test_streams_are_read_in_the_middle_of_the_block(tmp_path):
    sae = open_checkpoint(write(tmp_path, feature_input_hook="hook_resid_mid"), reading=LAYER_7)
    assert sae.site == Site(7, "H")


def test_gemmas_norm_before_its_gain(tmp_path):
    names = {"feature_input_hook": "ln2.hook_normalized", "feature_output_hook": "hook_mlp_out"}
    folder = write(tmp_path, {"W_skip": SKIP}, model_name="google/gemma-2-2b", **names)
    sae = open_checkpoint(folder, reading=LAYER_7)
    normalised = X / np.sqrt((X**2).mean(axis=1, keepdims=True) + 1e-6)
    agree(sae, *reference(skip=True, x=normalised))
    assert sae.site == Site(7, "H") and sae.writes == Site(7, "M")


@pytest.mark.parametrize(
    "more, changed, words",
    [
        ({}, {"feature_input_hook": "ln2.hook_normalized"}, "feature_input_hook is .* no site"),
        (
            {},
            {"model_name": "google/gemma-3-4b"},
            "feature_output_hook is 'mlp.hook_out'.* no site",
        ),
        ({}, {"model_kind": "cross_layer_transcoder"}, "model_kind is 'cross_layer_transcoder'"),
        ({}, {"scale": 2}, "scale is not known"),
        ({"log_thresholds": np.ones(F, np.float32)}, {}, "'log_thresholds' is not known"),
        ({"activation_function.threshold": -np.ones(F, np.float32)}, {}, "has negative numbers"),
    ],
)
def test_what_is_refused(tmp_path, more, changed, words):
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(write(tmp_path, more, **changed), reading=LAYER_7)


def test_the_layer_stands_in_the_name_of_the_file(tmp_path):
    write(tmp_path)
    (tmp_path / LAYER_7.file).rename(tmp_path / "params.safetensors")
    with pytest.raises(CheckpointError, match=r"set `file: layer_\{layer\}\.safetensors`"):
        open_checkpoint(tmp_path, reading=Reading(file="params.safetensors"))


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "a: !!python/object:os.system {}"])
def test_a_config_that_is_no_mapping(tmp_path, text):
    write(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.yaml: "):
        open_checkpoint(tmp_path, reading=LAYER_7)


# --- Qwen Scope ---------------------------------------------------------------------------------

QWEN = {"model_type": "topk_sae", "base_model": "Qwen/Qwen3-1.7B-Base", "d_model": D, "d_sae": F}
QWEN |= {"k": 4, "num_layers": 28, "hook_point": "resid_post", "dtype": "float32"}
LAYER_5 = Reading(file="layer5.sae.pt")


def write_qwen(folder, kind=torch.float32, **changed):
    write_json(folder / "config.json", QWEN | changed)
    w = tensors()
    named = {"W_enc": w["W_enc"].T, "W_dec": w["W_dec"].T, "b_enc": w["b_enc"]}
    named |= {"b_dec": w["b_dec"]}
    saved = {n: torch.from_numpy(np.ascontiguousarray(v)).to(kind) for n, v in named.items()}
    torch.save(saved, folder / LAYER_5.file)
    return folder


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_qwen_scope(tmp_path, kind):
    sae = open_qwen(write_qwen(tmp_path, kind), reading=LAYER_5)
    w = {n: torch.from_numpy(v).to(kind).double().numpy() for n, v in tensors().items()}
    z = topk(X @ w["W_enc"] + w["b_enc"], 4)
    agree(sae, z, z @ w["W_dec"] + w["b_dec"])
    assert sae.site == Site(5, "R") and sae.encoder.k == 4


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"model_type": "relu_sae"}, "model_type is 'relu_sae'"),
        ({"hook_point": "mlp_out"}, "hook_point is 'mlp_out'"),
        ({"k": 0}, r"k must lie in 1\.\.32"),
        ({"d_sae": 16}, r"must have shape \(16, 8\)"),
        ({"scale": 2}, "scale is not known"),
    ],
)
def test_what_is_refused_of_qwen_scope(tmp_path, changed, words):
    with pytest.raises(CheckpointError, match=words):
        open_qwen(write_qwen(tmp_path, **changed), reading=LAYER_5)


def test_the_layer_of_qwen_scope_stands_in_the_name(tmp_path):
    (write_qwen(tmp_path) / LAYER_5.file).rename(tmp_path / "sae.pt")
    with pytest.raises(CheckpointError, match=r"set `file: layer\{layer\}\.sae\.pt`"):
        open_qwen(tmp_path, reading=Reading(file="sae.pt"))
    assert json.loads((tmp_path / "config.json").read_text())["k"] == 4
