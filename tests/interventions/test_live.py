"""An SAE in torch agrees with the reference in float64, in every format and recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import foreign
from checkpoints import llama_scope
from planting import X as PLANTED
from planting import quick
from recipes import RECIPE_CASES
from saegrid.base.registry import pick
from saegrid.base.words import Site
from saegrid.interventions import live as lives
from saegrid.interventions.live import InterventionError, live
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats import FORMATS, sae_lens
from saegrid.saes.fronts import CONSTANT_NORM, LAYER_NORM, RMS_NORM
from saegrid.saes.sae import as_read, as_written, decode, encode, pre_activations
from subjects import random_sae, sae_of

SITES = {
    "circuit_tracer": ("L0I", "L0M"),
    "dictionary_learning": ("L7R", None),
    "gemma_scope": ("L5Z", None),
    "gemma_scope_2": ("L17R", None),
    "llamascopium": ("L15R", None),
    "mwhanna_transcoder": ("L0I", "L0M"),
    "qwen_scope": ("L0R", None),
    "sparsify": ("L3R", None),
}


def opened(name, folder):
    """An SAE of each format."""
    if name == "llama_scope":
        return pick(FORMATS, name, "").open(llama_scope(folder))
    site, writes = SITES[name]
    reading = Reading(site=Site.parse(site), writes=writes and Site.parse(writes))
    return pick(FORMATS, name, "").open(foreign.MAKERS[name](folder / "layers.3"), reading=reading)


def tokens(d, n=64, seed=3):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32) * 2 + 0.3


def dense(active, shape):
    z = np.zeros(shape)
    z[active.token.numpy(), active.feature.numpy()] = active.z.numpy()
    return z


def near_the_gate(sae, x):
    """Entries that rounding may decide either way."""
    pre = pre_activations(sae.encoder, x)
    if sae.encoder.k is None:
        return np.abs(pre - sae.encoder.threshold) < 1e-5
    last, following = -np.sort(-pre, axis=1)[:, sae.encoder.k - 1 : sae.encoder.k + 1].T
    return (np.abs(pre - last[:, None]) < 1e-5) & (last - following < 1e-5)[:, None]


def agrees(sae, x):
    """Codes, single values, rows and reconstruction are those of the reference."""
    torched, given = live(sae, site=Site(1, "R")), torch.from_numpy(x)
    z = encode(sae.encoder, x)
    active = torched.encode(given)
    assert active.token.dtype == active.feature.dtype == torch.int64
    assert active.z.dtype == torch.float32
    order = active.token * sae.encoder.d_sae + active.feature
    assert (order.diff() > 0).all() and len(order) > 0
    unsure = near_the_gate(sae, x)
    assert unsure.mean() < 0.05
    codes = dense(active, z.shape)
    np.testing.assert_array_equal((codes > 0) | unsure, (z > 0) | unsure)
    assert_close = np.testing.assert_allclose
    assert_close(np.where(unsure, 0, codes), np.where(unsure, 0, z), rtol=1e-4, atol=1e-4)
    # single features
    features = [5, 0, 3, *np.argsort(-z.sum(0))[:3]]
    alone = torched.value(given, features).numpy()
    assert_close(alone, codes[:, features], rtol=1e-5, atol=1e-5)
    each = torch.from_numpy(np.resize(features, len(x)))
    assert_close(torched.own(given, each), codes[np.arange(len(x)), each], rtol=1e-5, atol=1e-5)
    # what z multiplies
    rows = sae.decoder_rows(features) if sae.unit else sae.decoder.rows(features)
    assert_close(torched.rows(features), rows, rtol=1e-6)
    x_hat = as_written(sae, x, decode(sae, codes))
    size = max(1.0, np.abs(x_hat).max())
    assert_close(torched.reconstruct(given, active), x_hat, atol=2e-6 * size, rtol=1e-5)
    return torched


def test_every_format_has_its_case():
    assert {*SITES, "llama_scope", "sae_lens"} == set(FORMATS)


@pytest.mark.parametrize("name", sorted({*SITES, "llama_scope"}))
def test_formats(tmp_path, name):
    sae = opened(name, tmp_path)
    torched = agrees(sae, tokens(sae.encoder.d_model))
    assert torched.site == sae.site and torched.writes == (sae.writes or sae.site)


@pytest.mark.parametrize("recipe", RECIPE_CASES)
def test_recipes(tmp_path, recipe):
    trained = quick(recipe)
    sae_lens.write_sae_lens(tmp_path, trained.cfg, trained.tensors)
    agrees(sae_lens.open_checkpoint(tmp_path), PLANTED[:64])


@pytest.mark.parametrize("k", [None, 5])
@pytest.mark.parametrize("front", [LAYER_NORM, CONSTANT_NORM, RMS_NORM])
def test_normalised_inputs(front, k):
    sae = random_sae(k=k)
    sae = replace(sae, encoder=replace(sae.encoder, front=front))
    x = tokens(16)
    torched = agrees(sae, x)
    scale = torched.scale(torch.from_numpy(x))
    expected = front.numbers(x.astype(np.float64)).scale_out
    np.testing.assert_allclose(scale, expected, rtol=1e-6)
    assert live(random_sae(), site=Site(0, "R")).scale(torch.from_numpy(x)) is None


@pytest.mark.parametrize("k", [None, 5])
def test_centred_activations(k):
    sae = random_sae(k=k)
    agrees(replace(sae, encoder=replace(sae.encoder, centred=True)), tokens(16))


def test_a_skip_is_added():
    sae = random_sae(k=None)
    skip = np.random.default_rng(2).normal(size=(16, 16)).astype(np.float32)
    agrees(replace(sae, skip=skip, writes=Site(1, "M")), tokens(16))


def test_ties_go_to_the_smaller_number():
    """Four equal features, two of them may be active."""
    rows = np.tile([[1.0, 0.0]], (4, 1))
    torched = live(sae_of(rows, np.zeros(4), rows, np.zeros(2), k=2), site=Site(0, "R"))
    x = torch.tensor([[2.0, 0.0], [-1.0, 0.0]])
    active = torched.encode(x)
    assert active.token.tolist() == [0, 0] and active.feature.tolist() == [0, 1]
    assert torched.value(x, [0, 1, 2, 3]).tolist() == [[2, 2, 0, 0], [0, 0, 0, 0]]
    assert torched.own(x, torch.tensor([2, 0])).tolist() == [0, 0]


def test_the_gate_is_strict():
    torched = live(
        sae_of(np.eye(2), np.zeros(2), np.eye(2), np.zeros(2), threshold=0.5), site=Site(0, "R")
    )
    x = torch.tensor([[0.5, 0.75]])
    assert torched.encode(x).feature.tolist() == [1]
    assert torched.value(x, [0, 1]).tolist() == [[0, 0.75]]
    assert torched.own(x.repeat(2, 1), torch.tensor([0, 1])).tolist() == [0, 0.75]


def test_an_sae_without_a_site_is_refused():
    with pytest.raises(InterventionError, match="does not say its site: give it"):
        live(random_sae())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_activations_of_any_dtype_are_widened(dtype):
    torched = live(random_sae(k=None), site=Site(0, "R"))
    x = torch.from_numpy(tokens(16)).to(dtype)
    for a, b in zip(torched.encode(x), torched.encode(x.float()), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("k", [None, 5])
def test_many_tokens_go_in_chunks(monkeypatch, k):
    torched, x = live(random_sae(k=k), site=Site(0, "R")), torch.from_numpy(tokens(16))
    whole, alone = torched.encode(x), torched.value(x, [3, 9])
    monkeypatch.setattr(lives, "CHUNK", 7 * 64)
    parts = torched.encode(x)
    assert torch.equal(whole.feature, parts.feature) and torch.equal(whole.token, parts.token)
    torch.testing.assert_close(whole.z, parts.z)
    torch.testing.assert_close(alone, torched.value(x, [3, 9]))


def test_decoder_rows_that_are_not_held_are_read(monkeypatch):
    sae, x = random_sae(), torch.from_numpy(tokens(16))
    held = live(sae, site=Site(0, "R"))
    active = held.encode(x)
    x_hat = held.reconstruct(x, active)
    monkeypatch.setattr(lives, "HELD", 0)
    read = live(sae, site=Site(0, "R"))
    assert read._decoder is None and held._decoder is not None
    assert torch.equal(x_hat, read.reconstruct(x, active))


def test_the_reconstruction_has_the_gradient_of_its_codes():
    """d (g . x_hat) / d z of an entry is g . row."""
    torched, x = live(random_sae(), site=Site(0, "R")), torch.from_numpy(tokens(16, n=9))
    active = torched.encode(x)
    z = active.z.clone().requires_grad_()
    g = torch.from_numpy(tokens(16, n=9, seed=8))
    (g * torched.reconstruct(x, active._replace(z=z))).sum().backward()
    expected = (g[active.token] * torched.rows(active.feature)).sum(1)
    torch.testing.assert_close(z.grad, expected)


def test_no_token_and_no_active_feature():
    torched = live(sae_of(np.eye(4), np.full(4, -1e30), np.eye(4), np.ones(4)), site=Site(0, "R"))
    assert len(torched.encode(torch.zeros(0, 4)).z) == 0
    x = torch.zeros(2, 4)
    assert torch.equal(torched.reconstruct(x, torched.encode(x)), torch.ones(2, 4))


def test_a_feature_that_is_none_is_refused():
    torched = live(random_sae(), site=Site(2, "R"))
    with pytest.raises(InterventionError) as error:
        torched.value(torch.zeros(1, 16), [3, 64])
    assert str(error.value) == "The SAE at L2R has features 0 to 63; got 64."


def test_a_centred_read_is_the_reference(tmp_path):
    sae = random_sae()
    sae = replace(sae, encoder=replace(sae.encoder, centred=True))
    x = tokens(16)
    read = live(sae, site=Site(0, "R")).read(torch.from_numpy(x))
    np.testing.assert_allclose(read, as_read(sae.encoder, x), atol=1e-6)
