"""sparsify: TopK SAEs and transcoders with and without a skip, sites by names of folders."""

import numpy as np
import pytest

from checkpoints import write_safetensors
from foreign import D, F, X, agree, tensors, topk, wide, write_json
from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import open_tensors
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats.sparsify import open_checkpoint

K = 4
WRITES = Reading(site=Site(5, "I"), writes=Site(5, "M"))
SKIP = np.random.default_rng(1).normal(size=(D, D)).astype(np.float32)


def write(folder, skip=False, values=None, **changed):
    cfg = {"expansion_factor": F // D, "normalize_decoder": True, "num_latents": F, "k": K}
    cfg |= {"signed": False, "d_in": D, **({"skip_connection": True} if skip else {})}
    write_json(folder / "cfg.json", {key: v for key, v in (cfg | changed).items() if v is not None})
    w = tensors() if values is None else values
    named = {"encoder.weight": w["W_enc"].T.copy(), "encoder.bias": w["b_enc"]}
    named |= {"W_dec": w["W_dec"], "b_dec": w["b_dec"], **({"W_skip": SKIP} if skip else {})}
    write_safetensors(folder / "sae.safetensors", named)
    return folder


def reference(transcode=False, skip=False):
    w = wide(tensors())
    z = topk((X if transcode else X - w["b_dec"]) @ w["W_enc"] + w["b_enc"], K)
    y_hat = z @ w["W_dec"] + w["b_dec"]
    return z, y_hat + X @ SKIP.T.astype(np.float64) if skip else y_hat


@pytest.mark.parametrize("width", [{}, {"num_latents": 0}, {"num_latents": None}])
def test_saes(tmp_path, width):
    sae = open_checkpoint(write(tmp_path / "layers.3", **width))
    agree(sae, *reference())
    assert sae.site == Site(3, "R") and sae.writes is None and sae.encoder.k == K


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("folder", ["layers.5.mlp", "layers.5.mlp-0123456789ab", "mine"])
def test_transcoders(tmp_path, skip, folder):
    sae = open_checkpoint(write(tmp_path / folder, skip, transcode=True), reading=WRITES)
    agree(sae, *reference(transcode=True, skip=skip))
    assert sae.site == Site(5, "I") and sae.writes == Site(5, "M")


def test_older_transcoders_do_not_say_so_and_subtract_the_bias(tmp_path):
    folder = write(tmp_path / "layers.5.mlp", skip=True)
    sae = open_checkpoint(folder, reading=WRITES)
    agree(sae, *reference(skip=True))
    assert sae.site == Site(5, "I") and sae.writes == Site(5, "M")
    with pytest.raises(CheckpointError, match="set `writes: m`"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    "folder, site",
    [
        ("layers.5", "L5R"),
        ("layers.5.mlp", "L5M"),
        ("layers.5.attention", "L5A"),
        ("h.5.attn", "L5A"),
        ("elsewhere", "L7R"),
    ],
)
def test_sites_by_the_name_of_the_folder(tmp_path, folder, site):
    folder = write(tmp_path / folder)
    assert str(open_checkpoint(folder, reading=Reading(site=Site(7, "R"))).site) == site


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"activation": "groupmax"}, "activation is 'groupmax'"),
        ({"signed": True}, "signed is True"),
        ({"k": F + 1}, r"k must lie in 1\.\.32"),
        ({"num_latents": 24}, r"must have shape \(24, 8\)"),
        ({"d_in": None}, "the key 'd_in' is missing"),
        ({"jumprelu": True}, "jumprelu is not known"),
        ({"transcode": True}, "set `writes: m`"),
        ({"skip_connection": True, "transcode": False}, "'W_skip' is missing"),
    ],
)
def test_what_is_refused(tmp_path, changed, words):
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(write(tmp_path / "mine", **changed))


def test_a_skip_that_the_config_does_not_know(tmp_path):
    with pytest.raises(CheckpointError, match="'W_skip' is not known"):
        open_checkpoint(write(tmp_path, skip=True, skip_connection=False))


def test_the_checkpoint_that_failed(failing):
    folder = failing / "sae" / "sparsify"
    stored = wide(open_tensors(folder / "sae.safetensors").arrays)
    pre = (X - stored["b_dec"]) @ stored["encoder.weight"].T + stored["encoder.bias"]
    z = topk(pre, 4)
    sae = open_checkpoint(folder, reading=Reading(site=Site(3, "R")))
    agree(sae, z, z @ stored["W_dec"] + stored["b_dec"])
