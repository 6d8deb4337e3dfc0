"""Training: laws of the loop, planted dictionaries, and the files that come out."""

from itertools import islice

import numpy as np
import pytest
import torch

from planting import DIRECTIONS, SITE, X, quick, same
from recipes import QUICK
from saegrid.base.registry import pick
from saegrid.saes.formats.sae_lens import open_checkpoint, write_sae_lens
from saegrid.saes.sae import encode
from saegrid.saes.training import RECIPES, loop
from saegrid.saes.training.adam import Adam
from saegrid.saes.training.loop import HISTORY, train, train_many, world_of
from saegrid.saes.training.measured import health
from saegrid.saes.training.recipe import Recipe
from saegrid.saes.training.settings import Settings, n_steps, parse, problems
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import of_array

FOUND = {
    "topk": (0.9, 0.15),
    "batchtopk": (0.9, 0.15),
    "jumprelu": (0.9, 0.15),
    "relu_l1": (0.9, 0.35),
    "scaling": (0.9, 0.35),
}
"""Of the planted dictionary: least mean max cosine, largest fvu."""


@pytest.mark.parametrize(
    "recipe",
    [pytest.param(r, marks=() if r in ("topk", "relu_l1") else pytest.mark.slow) for r in FOUND],
)
def test_recipes_find_a_planted_dictionary(recipe):
    trained = quick(recipe, steps=500)
    cosine, fvu = FOUND[recipe]
    assert (DIRECTIONS @ trained.tensors["W_dec"].T).max(axis=1).mean() > cosine
    assert trained.health["fvu"]["value"] < fvu
    if recipe in ("topk", "batchtopk", "jumprelu"):
        assert trained.health["l0"]["value"] == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize("recipe", RECIPES)
def test_equal_seeds_give_equal_bytes(recipe):
    torch.manual_seed(1)
    first = quick(recipe)
    torch.manual_seed(2)
    again = quick(recipe)
    assert same(first, again)
    assert first.history.equals(again.history)
    assert first.cfg == again.cfg
    assert not same(first, quick(recipe, seed=1))
    assert not same(first, quick(recipe, order_seed=1))


COMPANY = [Run(recipe, QUICK[recipe], 4 if i % 2 else 2, i) for i, recipe in enumerate(RECIPES)]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_sae_is_the_same_alone_and_in_company(workers):
    stream = of_array(X, 0.1, 0)
    together = train_many(stream, COMPANY, site=SITE, workers=workers)
    for run, trained in zip(COMPANY, together, strict=True):
        (alone,) = train_many(stream, [run], site=SITE)
        assert same(alone, trained), run.recipe
        assert alone.history.equals(trained.history)
        assert alone.cfg == trained.cfg


def test_company_needs_one_batch():
    runs = [Run("topk", QUICK["topk"] | {"batch": batch}, 2) for batch in (128, 256)]
    with pytest.raises(ValueError, match=r"together need one `batch`; got \[128, 256\]"):
        train_many(of_array(X, 0.1, 0), runs, site=SITE)


def test_two_threads_repeat_themselves():
    told, stream = QUICK["topk"] | {"steps": 10, "batch": 512}, of_array(X, 0.1, 0)
    runs = [train(stream, "topk", told, expansion=8, site=SITE, threads=2) for _ in range(2)]
    assert same(*runs)
    before = torch.get_num_threads()
    train(stream, "topk", told, expansion=8, site=SITE, threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_unit_of_the_activations_does_not_matter(recipe):
    """Eight times the input: equal directions, biases and thresholds eight times as large."""
    told = {"input_scale": "mean"}
    one, eight = quick(recipe, **told), quick(recipe, x=X * 8, **told)
    for name, value in one.tensors.items():
        factor = 1 if name.startswith("W_") else 8
        np.testing.assert_array_equal(eight.tensors[name], value * factor)
    assert one.health["fvu"]["value"] == pytest.approx(eight.health["fvu"]["value"], rel=1e-9)


@pytest.mark.parametrize(("name", "size"), [("mean", "norm"), ("rms", "square"), ("none", "")])
def test_the_input_is_scaled_by_the_named_convention(name, size):
    """S3.1: sqrt(d) / E|x|, or sqrt(d / E|x|^2), of the tokens that are learned from."""
    norms = np.linalg.norm(X.astype(np.float64), axis=1)
    expected = {"norm": 32**0.5 / norms.mean(), "square": (32 / (norms**2).mean()) ** 0.5, "": 1.0}
    found = quick("scaling", input_scale=name, hold_out=0.0).cfg["metadata"]["input_scale"]
    assert found == pytest.approx(expected[size], rel=1e-12)


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_written_is_what_was_trained(tmp_path, recipe):
    trained = quick(recipe)
    write_sae_lens(tmp_path, trained.cfg, trained.tensors, "spec")
    sae = open_checkpoint(tmp_path)
    assert sae.site == SITE
    assert trained.cfg["metadata"]["recipe"] == recipe
    if recipe != "topk_relu":
        np.testing.assert_allclose(sae.decoder.norms, 1, rtol=1e-5)
    z = encode(sae.encoder, X[:500])
    w = {name: value.astype(np.float64) for name, value in trained.tensors.items()}
    centre = w["b_dec"] if trained.cfg["apply_b_dec_to_input"] else 0.0
    pre = (X[:500].astype(np.float64) - centre) @ w["W_enc"] + w["b_enc"]
    np.testing.assert_allclose(z[z > 0], pre[z > 0], rtol=1e-6, atol=1e-6)
    if trained.cfg["architecture"] == "jumprelu":
        np.testing.assert_array_equal(z > 0, pre > w["threshold"])
    elif trained.cfg["architecture"] == "topk":
        assert (z > 0).sum(axis=1).max() <= 4
    else:
        np.testing.assert_array_equal(z > 0, pre > 0)


def test_history_and_health_name_their_numbers():
    trained = quick(validate_every=20)
    assert trained.history.schema.equals(HISTORY)
    assert trained.history["step"].to_pylist() == [10, 20, 30]
    rows = trained.history.to_pylist()
    assert rows[0]["fvu"] > rows[-1]["fvu"]
    assert [row["held_fvu"] is None for row in rows] == [True, False, False]
    for row in rows:
        terms = row["reconstruction"] + row["sparsity"] + row["auxiliary"]
        assert row["loss"] == pytest.approx(terms)
    assert rows[-1]["held_fvu"] == pytest.approx(trained.health["fvu"]["value"], rel=0.01)
    assert set(trained.health) == {"fvu", "l0", "dead_rate"}
    assert {1800 < entry["n"] < 2200 for entry in trained.health.values()} == {True}
    assert trained.cfg["metadata"]["health"] == trained.health


def test_the_schedule():
    """Learning rate: up over the first tenth, down to zero over the last fifth."""
    told = {"warm_up": 0.1, "decay": 0.2, "lr": 0.01, "log_every": 1, "steps": 50}
    rates = quick(**told).history["lr"].to_pylist()
    expected = [0.01 * min(1, (i + 1) / 5) * min(1, (50 - i) / 10) for i in range(50)]
    assert rates == pytest.approx(expected)


def test_the_gradient_is_clipped():
    """Whatever clip is, the norm told is the one before; a tiny one makes another training."""
    wide, narrow = quick(clip=100.0), quick(clip=1e-4)
    assert wide.history["gradient_norm"][0].as_py() > 1e-4
    assert not same(wide, narrow)


def test_epochs_are_passes_over_the_tokens():
    told = Settings(epochs=3, batch=256)
    assert n_steps(told, 1000) == 12
    assert n_steps(Settings(steps=7), 1000) == 7
    trained = quick("tied", x=X[:2560], epochs=2, log_every=1000, hold_out=0.0, validate_every=0)
    assert trained.history["step"].to_pylist() == [10, 20]


def test_early_stopping_keeps_the_best_weights():
    """With a rate that goes astray: it stops after `patience` worse measurements."""
    told = {"steps": 400, "lr": 0.5, "validate_every": 10, "patience": 3, "epochs": 0}
    trained = quick("tied", **told)
    rows = [row for row in trained.history.to_pylist() if row["held_loss"] is not None]
    losses = [row["held_loss"] for row in rows]
    best = losses.index(min(losses))
    assert rows[-1]["step"] < 400 and len(losses) == best + 1 + 3
    assert trained.cfg["metadata"]["steps"] == rows[-1]["step"]
    assert trained.health["fvu"]["value"] == pytest.approx(rows[best]["held_fvu"], rel=0.02)


@pytest.mark.slow
def test_bfloat16_products_come_near():
    for recipe in RECIPES:
        exact, rough = quick(recipe), quick(recipe, dtype="bfloat16")
        assert not same(exact, rough)
        values = [trained.health["fvu"]["value"] for trained in (exact, rough)]
        assert values[1] == pytest.approx(values[0], rel=0.05), recipe


def test_health_of_perfect_and_silent_saes(tmp_path):
    """One feature a direction of four: fvu 0, l0 1. A threshold above all: fvu of b_dec alone."""
    eye = np.eye(4, dtype=np.float32)
    tensors = {"W_enc": eye, "W_dec": eye, "b_enc": np.zeros(4, np.float32)}
    tensors |= {"b_dec": np.zeros(4, np.float32), "threshold": np.zeros(4, np.float32)}
    cfg = {"architecture": "jumprelu", "d_in": 4, "d_sae": 4, "apply_b_dec_to_input": False}
    x = np.repeat(np.eye(4)[:3], 5, axis=0)
    write_sae_lens(tmp_path, cfg, tensors)
    values = {name: v["value"] for name, v in health(open_checkpoint(tmp_path), x).items()}
    assert values == {"fvu": 0.0, "l0": 1.0, "dead_rate": 0.25}
    tensors["b_dec"] = x.mean(axis=0).astype(np.float32)
    tensors["threshold"] += 9
    write_sae_lens(tmp_path, cfg, tensors)
    values = {name: v["value"] for name, v in health(open_checkpoint(tmp_path), x).items()}
    assert values["l0"] == 0 and values["dead_rate"] == 1
    assert values["fvu"] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(
    "recipe",
    ["topk", *(pytest.param(r, marks=pytest.mark.slow) for r in ("batchtopk", "jumprelu"))],
)
def test_the_auxiliary_loss_wakes_dead_features(recipe):
    """Features that nothing activates learn from what is left over, and stay dead without."""
    silent, alive = slice(0, 64), {}
    stream = of_array(X, 0.1, 0)
    world = world_of(stream, 0)
    for aux in (0.0, 0.5):
        told = QUICK[recipe] | {"aux": aux, "steps": 200, "log_every": 500, "validate_every": 500}
        state = State(Run(recipe, told, 4), world)
        with torch.no_grad():
            state.parameters["b_enc"][silent] = -2.0
        state.idle[silent] = 1_000_000
        for batch in islice(stream.batches(256, 0, 0), 200):
            state.learn(torch.from_numpy(batch * np.float32(state.scale)))
        alive[aux] = int((state.idle[silent] < 5000).sum())
    assert alive[0.5] > alive[0.0] + 20, alive


def test_weights_that_are_not_finite_are_not_written():
    """However they came about: features that are NaN would pass for dead ones."""
    state = State(Run("relu_l1", QUICK["relu_l1"], 2), world_of(of_array(X, 0.1, 0), 0))
    with torch.no_grad():
        state.parameters["b_enc"][3] = torch.nan
    outcome = loop._trained(state, SITE, {})
    assert str(outcome).startswith("The weights are not finite: training has gone astray")


def test_a_gradient_times_a_factor_moves_as_that_gradient_does():
    first, second = (torch.randn(300, generator=torch.Generator().manual_seed(0)) for _ in "ab")
    for p, scale in ((first, 1.0), (second, 0.25)):
        p.requires_grad_()
        p.grad = torch.linspace(-2, 2, 300) * scale
    Adam({"p": first}, 0.9, 0.99).step(0.1, 0.25)
    Adam({"p": second}, 0.9, 0.99).step(0.1)
    torch.testing.assert_close(first, second)


def test_adam_is_adam():
    g = torch.Generator().manual_seed(0)
    ours = [torch.randn(400, 100, generator=g), torch.randn(7, generator=g)]
    theirs = [p.clone().requires_grad_() for p in ours]
    ours = [p.requires_grad_() for p in ours]
    known = torch.optim.Adam(theirs, lr=0.01, betas=(0.8, 0.95))
    adam = Adam(dict(zip("ab", ours, strict=True)), 0.8, 0.95)
    for _ in range(5):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=g)
            q.grad = p.grad.clone()
        adam.step(0.01)
        known.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q)


# --- settings and mistakes ------------------------------------------------------------------


def test_every_recipe_has_settings():
    for name in RECIPES:
        recipe = pick(RECIPES, name, "The recipe")
        assert isinstance(recipe, Recipe)
        assert issubclass(recipe.settings, Settings)
        assert isinstance(parse(name, {}), recipe.settings)


SETTING_MISTAKES = [
    (
        "topk",
        {"step": 3},
        "The setting 'step' of the recipe topk is unknown. Did you mean 'steps'? Known: ",
    ),
    ("topk", {"k": 2.5}, "The setting k of the recipe topk must be a whole number from 1 on; "),
    ("topk", {"k": True}, "The setting k of the recipe topk must be a whole number from 1 on; "),
    ("topk", {"lr": "a"}, "The setting lr of the recipe topk must be a number from 0 on; got 'a'."),
    ("topk", {"hold_out": 1}, "The setting hold_out of the recipe topk must be a number in 0..1, "),
    ("jumprelu", {"init": "x"}, "The setting init of the recipe jumprelu must be data or random; "),
    ("topk_relu", {"k": 0}, "The setting k of the recipe topk_relu must be a whole number from 1 "),
    ("jumprelu", {"k": 3}, "The setting 'k' of the recipe jumprelu is unknown."),
    ("topk", {"lr": float("nan")}, "The setting lr of the recipe topk must be a number from 0 on"),
    ("topk", {"lr": float("inf")}, "The setting lr of the recipe topk must be a number from 0 on"),
    ("topk", {"k": None}, "The setting k of the recipe topk must be a whole number from 1 on; "),
    ("topk", {"k": [[1] * 99] * 99}, "The setting k of the recipe topk must be a whole number "),
    ("topk", {3: 1}, "The setting 3 of the recipe topk is unknown."),
    ("top_k", {}, "The recipe 'top_k' is unknown. Did you mean 'topk'? Known: batchtopk, "),
]


@pytest.mark.parametrize(("recipe", "settings", "message"), SETTING_MISTAKES)
def test_settings_are_checked(recipe, settings, message):
    with pytest.raises(ValueError) as error:
        parse(recipe, settings)
    assert str(error.value).startswith(message)


def test_all_problems_of_settings_are_told_at_once():
    found = problems("topk", {"kk": 1, "k": 0, "lr": "1e-4", "hold_out": float("nan")})
    assert [text.split(" of the recipe topk ")[0] for text in found] == [
        "The setting 'kk'",
        "The setting k",
        "The setting lr",
        "The setting hold_out",
    ]
    assert found[2].endswith("got '1e-4'. YAML takes it for a text: write 1.0e-04.")
    assert found[3].endswith("got nan.")
    assert problems("topk", {"k": 8, "lr": 1e-4}) == []
    assert problems("topk", {"lr": 1e30, "steps": 10**400})[0] == (
        "The setting lr of the recipe topk must be at most 10; got 1e+30."
    )
    assert len(problems("topk", {"lr": 1e30, "steps": 10**400})) == 2


def test_activations_that_cannot_be_used_are_named(tmp_path):
    bad = X[:100].copy()
    bad[17, 3] = np.nan
    with pytest.raises(ValueError) as error:
        quick(x=bad, hold_out=0)
    assert str(error.value) == "x: row 17 of x holds NaN or infinity."
    with pytest.raises(ValueError, match="All tokens to learn from are equal"):
        quick(x=np.ones((50, 8), np.float32))
    with pytest.raises(ValueError, match="training needs tokens; got 1 of 1"):
        quick(x=X[:1], hold_out=0.0)
    with pytest.raises(ValueError, match="patience of the recipe topk needs held-out tokens"):
        quick(patience=3, hold_out=0.0)
    with pytest.raises(ValueError, match="of the recipe topk must be at most d_sae, 128; got 129"):
        quick(k=129)
    with pytest.raises(ValueError, match="l0 of the recipe jumprelu must be at most d_sae, 128"):
        quick("jumprelu", l0=200.0)
