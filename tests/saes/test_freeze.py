"""SAEs of which a part stays as it began: frozen decoders or encoders, and soft-frozen decoders."""

from itertools import islice, product

import numpy as np
import pytest
import torch

from covering import pairs
from planting import DIRECTIONS, SITE, X, quick, same
from recipes import QUICK
from saegrid.saes.formats.sae_lens import open_checkpoint, write_sae_lens
from saegrid.saes.sae import encode
from saegrid.saes.training import RECIPES, memory
from saegrid.saes.training.adam import Adam, confine
from saegrid.saes.training.loop import train_many, world_of
from saegrid.saes.training.recipe import Moment
from saegrid.saes.training.recipes import relu_l1
from saegrid.saes.training.settings import parse
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import of_array

HARD = ("decoder", "encoder")
KINDS = (*HARD, "soft")
MORE = [{"non_negative": True, "init": "data"}, {"whiten": "zca"}]
"""Further settings of activations and decoders."""
RESAMPLING = {"resample_silent": 0.01}
"""Settings of `relu_l1` with which features are resampled in a short training."""


def settings_of(recipe, **more):
    """Settings of a short training in which features die, are resampled or learn as dead ones."""
    own = RESAMPLING if recipe == "relu_l1" else {}
    return QUICK[recipe] | {"steps": 48, "dead_after": 1000} | own | more


def state_of(recipe, **more):
    """A training of which sixteen features are silent at the start."""
    run = Run(recipe, settings_of(recipe, **more), 4)
    world = world_of(of_array(X, 0.1, 0), 0)
    state = State(run, world.whitened(more.get("whiten", "none")))
    with torch.no_grad():
        state.parameters["b_enc"][:16] = -50.0
    return state


def go_on(state, n=None):
    """Train for n more steps, or to the end."""
    batches = state.world.stream.batches(state.settings.batch, 0, state.step)
    for x in islice(batches, n or state.steps - state.step):
        state.learn(state.transform(x))
    return state


def copied(state):
    """Copies of all parameters."""
    return {name: value.detach().clone() for name, value in state.parameters.items()}


def cosines(rows, others):
    """Cosines (feature,) of rows with others, in float64."""
    unit = [m.double() / m.double().norm(dim=1, keepdim=True) for m in (rows, others)]
    return (unit[0] * unit[1]).sum(dim=1)


@pytest.mark.parametrize(
    ("recipe", "freeze", "more"), [*product(RECIPES, HARD, [{}]), *pairs(list(RECIPES), HARD, MORE)]
)
def test_what_is_frozen_keeps_its_bytes_and_all_else_learns(recipe, freeze, more):
    state = state_of(recipe, freeze=freeze, **more)
    first = copied(state)
    early = go_on(state, 1)._measure()["fvu"]
    go_on(state)
    assert state.astray is None and state.step == 48
    still = {name for name in first if torch.equal(state.parameters[name].detach(), first[name])}
    means = {"b_dec"} if recipe == "topk_relu" else set()
    assert still == {getattr(state.recipe, freeze)} | means
    assert state._measure()["fvu"] < early


@pytest.mark.parametrize(
    ("recipe", "lr", "more"),
    [*product(RECIPES, [4e-3, 0.1], [{}]), *pairs(list(RECIPES), [0.1], MORE)],
)
def test_soft_frozen_rows_stay_near_their_start(recipe, lr, more):
    """After every step; at a large rate they come to the edge, and no further."""
    state = state_of(recipe, freeze="soft", lr=lr, **more)
    first = copied(state)[state.recipe.decoder]
    early, least = go_on(state, 1)._measure()["fvu"], 1.0
    for _ in range(47):
        rows = go_on(state, 1).parameters[state.recipe.decoder].detach()
        near = float(cosines(rows, first).min())
        least = min(least, near)
        assert near >= 0.8 - 1e-6, state.step
        assert not more.get("non_negative") or (rows >= 0).all()
        if state.recipe.unit_decoder:
            torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))
    assert state.astray is None and state.step == 48
    assert least < (0.81 if lr > 0.01 else 1 - 1e-4)
    assert lr > 0.01 or state._measure()["fvu"] < early


@pytest.mark.parametrize("freeze", KINDS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_they_go_on_from_the_middle(tmp_path, recipe, freeze):
    """The file under way has first rows, too, which `soft` needs."""
    settings = settings_of(recipe, freeze=freeze, steps=24, batch=64, dead_after=256)
    settings |= {"validate_every": 5, "patience": 20, "lr": 0.02}
    stream, run = of_array(X[:3000], 0.1, 0), Run(recipe, settings, 4)
    (whole,) = train_many(stream, [run], site=SITE)
    path = tmp_path / "x.safetensors"
    state = go_on(State(run, world_of(stream, 0), path), 13)
    state.save()
    (resumed,) = train_many(stream, [run], site=SITE, kept=[path])
    assert same(whole, resumed)
    assert whole.history.equals(resumed.history) and whole.cfg == resumed.cfg


def test_first_rows_come_from_the_file(tmp_path):
    """A resumed training turns its rows to those that it began with, whatever it would draw now."""
    run = Run("topk", settings_of("topk", freeze="soft", lr=0.1), 4)
    world, path = world_of(of_array(X, 0.1, 0), 0), tmp_path / "x.safetensors"
    begun = State(run, world, path)
    begun.first_rows["W_dec"].copy_(-begun.first_rows["W_dec"])
    begun.save()
    resumed = go_on(State(run, world, path), 1)
    assert (
        cosines(resumed.parameters["W_dec"].detach(), begun.first_rows["W_dec"]).min() >= 0.8 - 1e-6
    )


def test_frozen_ones_are_the_same_alone_and_in_company():
    stream = of_array(X, 0.1, 0)
    runs = [
        Run(recipe, QUICK[recipe] | {"freeze": freeze}, 4)
        for recipe in ("relu_l1", "tied")
        for freeze in ("none", *KINDS)
    ]
    for run, trained in zip(runs, train_many(stream, runs, site=SITE, workers=2), strict=True):
        (alone,) = train_many(stream, [run], site=SITE)
        assert same(alone, trained) and alone.cfg == trained.cfg, run


def test_tied_weights_are_one_matrix():
    """Frozen as a decoder or as an encoder, they are the same SAE, of which biases are learned."""
    decoder, encoder, free = (quick("tied", freeze=kind) for kind in (*HARD, "none"))
    assert same(decoder, encoder) and not same(decoder, free)


@pytest.mark.parametrize("freeze", KINDS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_written_says_so_and_can_be_read(tmp_path, recipe, freeze):
    trained = quick(recipe, freeze=freeze)
    write_sae_lens(tmp_path, trained.cfg, trained.tensors, "spec")
    sae = open_checkpoint(tmp_path)
    assert trained.cfg["metadata"]["settings"]["freeze"] == freeze
    assert (encode(sae.encoder, X[:500]) > 0).any()
    first = State(Run(recipe, QUICK[recipe], 4), world_of(of_array(X, 0.1, 0), 0)).parameters
    if freeze == "decoder":
        rows = first["W" if recipe == "tied" else "W_dec"].detach()
        np.testing.assert_array_less(
            1 - 1e-6, cosines(torch.from_numpy(trained.tensors["W_dec"]), rows).numpy()
        )


def test_frozen_directions_find_nothing():
    """Frozen directions match the planted dictionary as random ones do; trained ones find it."""
    best = {
        kind: (DIRECTIONS @ quick("topk", steps=200, freeze=kind).tensors["W_dec"].T).max(axis=1)
        for kind in ("none", "decoder", "soft")
    }
    means = {kind: float(found.mean()) for kind, found in best.items()}
    assert means["decoder"] < 0.6 and means["decoder"] < means["soft"] < means["none"], means
    assert means["none"] > 0.8, means


def test_rows_are_turned_to_the_edge_of_their_cone():
    """The nearest direction at cosine 0.8, with the row's norm; what lies within is left."""
    start = torch.tensor([[1.0, 0.0]] * 6) * 0.1
    W = [[0.0, 2.0], [-1.0, -1.0], [1.0, 0.1], [-3.0, 0.0], [0.0, 0.0], [1e-9, 1e-8]]
    W = torch.tensor(W)
    within = W[2].clone()
    confine(W, start, 0.8)
    root = 2**0.5
    expected = [[1.6, 1.2], [0.8 * root, -0.6 * root], [0, 0], [3.0, 0.0]]
    torch.testing.assert_close(W[[0, 1, 3]], torch.tensor(expected)[[0, 1, 3]])
    assert torch.equal(W[2], within)
    assert cosines(W, start).min() >= 0.8 - 1e-6, "also of rows of norm zero, or nearly"
    assert W[4].norm() < 1e-6


def test_features_begin_anew_at_what_is_frozen():
    """Dead features of which a matrix is frozen take its direction for their other row."""
    sample = torch.eye(4)[:1].repeat(100, 1) * 3
    for frozen, other in (("W_dec", "W_enc"), ("W_enc", "W_dec")):
        p = {
            "W_enc": torch.stack([torch.eye(4)[0] * 2, -torch.ones(4)]),
            "b_enc": torch.tensor([-1.0, -0.5]),
            "W_dec": torch.stack([torch.eye(4)[0], torch.eye(4)[2]]),
            "b_dec": torch.zeros(4),
        }
        before = p[frozen].clone()
        learned = Adam({name: value for name, value in p.items() if name != frozen}, 0.9, 0.999)
        idle = torch.tensor([0, 500])
        moment = Moment(2, 16, 0, idle, learned, lambda n, seed: sample)
        relu_l1.after(p, moment, parse("relu_l1", {"steps": 16, "batch": 10}))
        assert torch.equal(p[frozen], before) and idle.tolist() == [0, 0]
        # The living encoder row has norm 2, so that new ones have 0.4.
        direction = torch.eye(4)[2] * 0.4 if other == "W_enc" else -torch.ones(4) / 2
        torch.testing.assert_close(p[other][1], direction)
        assert float(p["b_enc"][1]) == 0.0


def test_settings_say_that_an_sae_is_a_null():
    assert [parse("tied", {"freeze": kind}).frozen for kind in KINDS] == [True] * 3
    assert parse("topk", {}).frozen is False and "frozen" not in vars(parse("topk", {}))
    for value in ("all", True, None, ["soft"]):
        with pytest.raises(ValueError) as error:
            parse("topk", {"freeze": value})
        assert str(error.value) == (
            "The setting freeze of the recipe topk must be none or decoder or encoder or soft; got "
            f"{value!r}."
        )


def test_first_rows_are_held_beside_the_weights():
    shape = 4096, 8 * 4096
    soft, hard, free = (
        memory.held([(*shape, parse("topk", {"freeze": kind}))])
        for kind in ("soft", "decoder", "none")
    )
    assert hard == free
    assert soft - free == pytest.approx(4 * shape[0] * shape[1] / 1e6, abs=1)
