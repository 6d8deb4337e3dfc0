"""Trainings on whitened activations: what is written takes raw ones."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from planting import DIRECTIONS, SITE, X, quick, same
from recipes import QUICK
from saegrid.base.tensors import Tensors
from saegrid.saes.formats.sae_lens import (
    FACTS,
    WEIGHTS,
    config,
    open_checkpoint,
    view,
    write_sae_lens,
)
from saegrid.saes.sae import decode, encode
from saegrid.saes.training import RECIPES
from saegrid.saes.training.loop import train_many, world_of
from saegrid.saes.training.measured import health
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import of_array

RNG = np.random.default_rng(0)
SPREAD = np.geomspace(0.1, 10, X.shape[1]) * np.linalg.qr(RNG.normal(size=(X.shape[1],) * 2))[0]
SKEWED = ((X - X.mean(axis=0)) @ SPREAD + 20 * RNG.normal(size=X.shape[1])).astype(np.float32)
"""The planted tokens, rotated and spread by factors of 0.1 to 10, far from the origin."""
KINDS = ("zca", "pca")


def opened(cfg, tensors):
    return view(Path(FACTS), cfg, lambda: Tensors(Path(WEIGHTS), tensors))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_codes_of_raw_activations_are_those_of_whitened_ones(recipe, kind):
    """But for the norms of decoder rows; the reconstruction is led back."""
    stream = of_array(SKEWED, 0.1, 0)
    run = Run(recipe, QUICK[recipe] | {"whiten": kind}, 4)
    world = world_of(stream, 0).whitened(kind)
    state = State(run, world)
    for batch in islice(stream.batches(256, 0, 0), 30):
        state.learn(state.transform(batch))
    found = state.recipe.finish(state.final(), state.scale, state.settings)
    cfg = config(found.architecture, SITE, 32, 128, **found.keys)
    inner = opened(cfg, {n: np.ascontiguousarray(t.numpy()) for n, t in found.tensors.items()})
    (trained,) = train_many(stream, [run], site=SITE)
    outer = opened(trained.cfg, trained.tensors)

    x, (A, mean) = SKEWED[:300].astype(np.float64), world.affine
    back = np.linalg.inv(A).T
    z, z_raw = encode(inner.encoder, (x - mean) @ A.T), encode(outer.encoder, x)
    assert (z > 0).sum() > 100
    norms = np.linalg.norm(inner.decoder.rows(range(128)) @ back, axis=1)
    if outer.encoder.k is None:
        np.testing.assert_allclose(outer.decoder.norms, 1, rtol=1e-5)
    else:
        norms[:] = 1
    np.testing.assert_allclose(z_raw, z * norms, rtol=1e-4, atol=1e-4 * z_raw.max())
    expected = decode(inner, z) @ back + mean
    assert np.abs(decode(outer, z_raw) - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learned_from_is_white(kind):
    stream = of_array(SKEWED, 0.1, 0)
    world = world_of(stream, 0).whitened(kind)
    white = world.affine(SKEWED[stream.train]).astype(np.float64)
    # The ridge, a millionth of the mean variance, is some thousandths of the smallest.
    np.testing.assert_allclose(np.cov(white.T), np.eye(32), atol=5e-3)
    assert world.variance == pytest.approx(32, rel=1e-3)
    assert world.norm == pytest.approx(np.linalg.norm(white, axis=1).mean(), rel=1e-5)
    state = State(Run("topk", QUICK["topk"] | {"whiten": kind}, 4), world)
    assert state.scale == pytest.approx(32**0.5 / world.norm)
    expected = world.affine(SKEWED[:5]) * np.float32(state.scale)
    np.testing.assert_array_equal(state.transform(SKEWED[:5]).numpy(), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_health_is_that_of_raw_activations(tmp_path, kind):
    trained = quick("topk", x=SKEWED, whiten=kind)
    write_sae_lens(tmp_path, trained.cfg, trained.tensors)
    held = np.concatenate(list(of_array(SKEWED, 0.1, 0).held_out()))
    assert health(open_checkpoint(tmp_path), held) == trained.health
    assert trained.cfg["metadata"]["settings"]["whiten"] == kind


@pytest.mark.slow
def test_directions_of_little_variance_are_learned_too():
    """A squared error of raw activations hardly sees them; whitened, all count alike."""
    A, found = world_of(of_array(SKEWED, 0.1, 0), 0).whitened("zca").affine.A, {}
    planted = DIRECTIONS @ SPREAD @ A.T
    for kind in ("none", "zca"):
        rows = quick("topk", x=SKEWED, steps=400, whiten=kind).tensors["W_dec"] @ A.T
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = planted / np.linalg.norm(planted, axis=1, keepdims=True) @ rows.T
        found[kind] = cosines.max(axis=1).mean()
    assert found["zca"] > 0.9 > 0.75 > found["none"], found


def test_whitened_and_raw_ones_in_company_are_the_same_as_alone():
    stream = of_array(SKEWED, 0.1, 0)
    runs = [Run("topk", QUICK["topk"] | {"whiten": kind}, 4) for kind in ("none", *KINDS)]
    together = train_many(stream, runs, site=SITE, workers=2)
    for run, trained in zip(runs, together, strict=True):
        (alone,) = train_many(stream, [run], site=SITE)
        assert same(alone, trained) and alone.cfg == trained.cfg
    assert not same(together[0], together[1]) and not same(together[1], together[2])


@pytest.mark.parametrize("recipe", ["topk", "jumprelu"])
def test_a_whitened_training_goes_on_after_any_step(tmp_path, recipe):
    stream, told = of_array(SKEWED, 0.1, 0), QUICK[recipe] | {"whiten": "zca"}
    (whole,) = train_many(stream, [Run(recipe, told, 4)], site=SITE)
    path = tmp_path / "x.safetensors"
    state = State(Run(recipe, told, 4), world_of(stream, 0).whitened("zca"), path)
    for batch in islice(stream.batches(256, 0, 0), 13):
        state.learn(state.transform(batch))
    state.save()
    (resumed,) = train_many(stream, [Run(recipe, told, 4)], site=SITE, kept=[path])
    assert same(whole, resumed) and whole.history.equals(resumed.history)
