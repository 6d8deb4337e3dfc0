"""Llamascopium 2 and its forerunner: scales, thresholds and norms by formula, and refusals."""

import numpy as np
import pytest

from checkpoints import write_safetensors
from foreign import D, F, X, agree, tensors, topk, wide, write_json
from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import hollow
from saegrid.base.words import Site
from saegrid.saes.formats.llamascopium import open_checkpoint

HOOK = "blocks.15.hook_resid_post"
NORM = 5.5
LOG = np.log(np.random.default_rng(2).uniform(0.2, 2, F)).astype(np.float32)


def write(folder, older=False, out=None, norms=(NORM, NORM), **changed):
    cfg = {"device": "cuda", "dtype": "torch.float32", "sae_type": "sae", "hook_point_in": HOOK}
    cfg |= {"hook_point_out": out or HOOK, "d_model": D, "expansion_factor": F / D}
    cfg |= {"use_decoder_bias": True, "act_fn": "jumprelu", "norm_activation": "dataset-wise"}
    cfg |= {"sparsity_include_decoder_norm": True, "top_k": 4, "jumprelu_threshold_window": 2.0}
    cfg |= {"use_glu_encoder": False}
    write_json(folder / "config.json", cfg | changed)
    w = tensors()
    if older:
        named = {"encoder.weight": w["W_enc"].T.copy(), "decoder.weight": w["W_dec"].T.copy()}
        named |= {"encoder.bias": w["b_enc"], "decoder.bias": w["b_dec"]}
        named |= {"log_jumprelu_threshold": LOG}
    else:
        named = {"W_E": w["W_enc"], "W_D": w["W_dec"], "b_E": w["b_enc"], "b_D": w["b_dec"]}
        named |= {"activation_function.log_jumprelu_threshold": LOG}
    if changed.get("act_fn", "jumprelu") != "jumprelu":
        named = {name: value for name, value in named.items() if "jumprelu" not in name}
    for hook, norm in zip((HOOK, out or HOOK), norms, strict=True):
        if norm is not None:
            named[f"dataset_average_activation_norm.{hook}"] = np.array(norm, np.float32)
    write_safetensors(folder / "sae_weights.safetensors", named)
    return folder


def reference(act="jumprelu", by_norm=True, norms=(NORM, NORM)):
    """The class's own encode and decode between the two scalings, and z as the class has it."""
    w, (s_in, s_out) = wide(tensors()), (np.sqrt(D) / norm for norm in norms)
    pre = X * s_in @ w["W_enc"] + w["b_enc"]
    n = np.linalg.norm(w["W_dec"], axis=1) if by_norm else np.ones(F)
    scores = pre * n
    if act == "topk":
        kept = topk(scores, 4) > 0
    else:
        kept = scores > (np.exp(LOG.astype(np.float64)) if act == "jumprelu" else 0)
    z = np.where(kept, pre, 0)
    return z, (z @ w["W_dec"] + w["b_dec"]) / s_out


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("by_norm", [False, True])
@pytest.mark.parametrize("act", ["jumprelu", "relu"])
def test_thresholds(tmp_path, older, by_norm, act):
    folder = write(tmp_path, older, sparsity_include_decoder_norm=by_norm, act_fn=act)
    sae = open_checkpoint(folder)
    agree(sae, *reference(act, by_norm))
    assert sae.site == Site(15, "R") and sae.writes is None


@pytest.mark.parametrize("by_norm", [False, True])
def test_topk(tmp_path, by_norm):
    sae = open_checkpoint(write(tmp_path, sparsity_include_decoder_norm=by_norm, act_fn="topk"))
    z, x_hat = reference("topk", by_norm)
    gain = np.linalg.norm(wide(tensors())["W_dec"], axis=1) * NORM / np.sqrt(D) if by_norm else 1.0
    agree(sae, z * gain, x_hat)


def test_norms_that_are_folded_in(tmp_path):
    folder = write(tmp_path, norms=(None, None), norm_activation="inference")
    agree(open_checkpoint(folder), *reference(norms=(np.sqrt(D), np.sqrt(D))))


def test_transcoders_have_two_norms(tmp_path):
    out = "blocks.15.hook_mlp_out"
    sae = open_checkpoint(write(tmp_path, out=out, norms=(3.0, 7.0)))
    agree(sae, *reference(norms=(3.0, 7.0)))
    assert sae.site == Site(15, "R") and sae.writes == Site(15, "M")


def test_known_norms_give_the_same(tmp_path):
    folder = write(tmp_path)
    norms = open_checkpoint(folder).decoder.norms
    agree(open_checkpoint(folder, norms=norms.astype(np.float32)), *reference())


def test_only_headers_are_read_of_a_hollow_file(tmp_path):
    write(tmp_path)
    with hollow():
        assert open_checkpoint(tmp_path, norms=np.ones(())).encoder.d_sae == F


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"sae_type": "clt"}, "sae_type is 'clt'"),
        ({"act_fn": "batchtopk"}, "act_fn is 'batchtopk'"),
        ({"norm_activation": "token-wise"}, "norm_activation is 'token-wise'"),
        ({"norms": (None, None)}, "dataset_average_activation_norm.* is missing"),
        ({"norms": (0.0, 0.0)}, "must be positive; got 0.0"),
        ({"use_glu_encoder": True}, "use_glu_encoder is True"),
        ({"hook_point_in": "blocks.5.attn.hook_q"}, "hook_point_in is .* no site"),
        ({"hook_point_in": "blocks.5.ln2.hook_normalized"}, "hook_point_in is .* no site"),
        ({"use_decoder_bias": False}, "'b_D' is not known"),
        ({"rescale": 1}, "rescale is not known"),
        ({"expansion_factor": 3}, r"must have shape \(8, 24\)"),
    ],
)
def test_what_is_refused(tmp_path, changed, words):
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(write(tmp_path, **changed))
