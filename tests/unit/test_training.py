"""Training: laws of the loop, planted dictionaries, and the files that come out."""

import numpy as np
import pytest
import torch

from checkpoints import to_bits
from saegrid.io import write_tensors
from saegrid.registry import pick
from saegrid.saes.formats.sae_lens import open_checkpoint, write_sae_lens
from saegrid.saes.health import health
from saegrid.saes.sae import encode
from saegrid.saes.training import RECIPES
from saegrid.saes.training.adam import Adam
from saegrid.saes.training.loop import Recipe, train
from saegrid.saes.training.settings import SETTINGS, parse
from saegrid.saes.training.sparse import auxiliary, decode_at, largest, values_at
from saegrid.words import Site

D_MODEL, PLANTED = 32, 64
QUICK = {"topk": {"k": 4}, "jumprelu": {"l0": 4.0}}
SITE = Site(1, "R")


def planted(n=20_000, seed=0):
    """Tokens that are sums of four of 64 directions, and the directions."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(PLANTED, D_MODEL))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = np.argsort(rng.random((n, PLANTED)), axis=1)[:, :4]
    weights = rng.uniform(1, 3, (n, 4))
    x = np.einsum("tk,tkd->td", weights, directions[chosen]) + 0.5
    return (x + 0.02 * rng.normal(size=x.shape)).astype(np.float32), directions


X, DIRECTIONS = planted()


def quick(recipe="topk", x=X, seed=0, **settings):
    told = {"steps": 30, "batch": 256, "log_every": 10} | QUICK[recipe] | settings
    return train(x, recipe, told, expansion=4, seed=seed, site=SITE)


def same(a, b):
    return {n: v.tobytes() for n, v in a.tensors.items()} == {
        n: v.tobytes() for n, v in b.tensors.items()
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_find_a_planted_dictionary(recipe):
    told = {"steps": 500} | QUICK[recipe]
    trained = train(X, recipe, told, expansion=4, seed=0, site=SITE)
    cosines = DIRECTIONS @ trained.tensors["W_dec"].T
    assert cosines.max(axis=1).mean() > 0.9
    assert trained.health["fvu"]["value"] < 0.15
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


def test_two_threads_repeat_themselves():
    told = QUICK["topk"] | {"steps": 10, "batch": 512}
    runs = [train(X, "topk", told, expansion=8, seed=0, site=SITE, threads=2) for _ in range(2)]
    assert same(*runs)
    before = torch.get_num_threads()
    train(X, "topk", told, expansion=8, seed=0, site=SITE, threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_unit_of_the_activations_does_not_matter(recipe):
    """Eight times the input: equal directions, biases and thresholds eight times as large."""
    one, eight = quick(recipe), quick(recipe, x=X * 8)
    for name, value in one.tensors.items():
        factor = 1 if name.startswith("W_") else 8
        np.testing.assert_array_equal(eight.tensors[name], value * factor)
    assert one.health["fvu"]["value"] == pytest.approx(eight.health["fvu"]["value"], rel=1e-9)


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_written_is_what_was_trained(tmp_path, recipe):
    trained = quick(recipe)
    write_sae_lens(tmp_path, trained.cfg, trained.tensors, "spec")
    sae = open_checkpoint(tmp_path)
    assert sae.site == SITE
    assert trained.cfg["architecture"] == recipe
    assert trained.cfg["metadata"]["recipe"] == recipe
    np.testing.assert_allclose(sae.decoder.norms, 1, rtol=1e-6)
    z = encode(sae.encoder, X[:500])
    w = {name: value.astype(np.float64) for name, value in trained.tensors.items()}
    pre = (X[:500].astype(np.float64) - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    np.testing.assert_allclose(z[z > 0], pre[z > 0], rtol=1e-6, atol=1e-6)
    if recipe == "jumprelu":
        np.testing.assert_array_equal(z > 0, pre > w["threshold"])
    else:
        assert (z > 0).sum(axis=1).max() <= 4


def test_an_activations_file_is_read(tmp_path):
    whole, half = tmp_path / "x.safetensors", tmp_path / "half.safetensors"
    write_tensors(whole, {"x": X, "token": np.arange(len(X))})
    assert same(quick(x=whole), quick())
    bits = torch.from_numpy(to_bits(X)).view(torch.bfloat16)
    write_tensors(half, {"x": bits, "token": torch.arange(len(X))})
    assert same(quick(x=half), quick(x=bits.float().numpy()))


def test_history_and_health_name_their_numbers():
    trained = quick()
    assert trained.history.column_names == [
        "step",
        "tokens",
        "lr",
        "loss",
        "mse",
        "fvu",
        "l0",
        "dead_share",
        "gradient_norm",
    ]
    assert trained.history["step"].to_pylist() == [10, 20, 30]
    assert trained.history["fvu"].to_pylist()[0] > trained.history["fvu"].to_pylist()[-1]
    assert {name: entry["n"] for name, entry in trained.health.items()} == {
        "fvu": 2000,
        "l0": 2000,
        "dead_rate": 2000,
    }
    assert trained.cfg["metadata"]["health"] == trained.health


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


def test_the_auxiliary_loss_wakes_dead_features():
    """With it fewer features stay silent than without, from one and the same start."""
    told = {"steps": 300, "lr": 0.02, "dead_after": 5000, "k": 2}
    awake, asleep = quick(**told, aux=0.5), quick(**told, aux=0)
    assert awake.health["dead_rate"]["value"] < asleep.health["dead_rate"]["value"]


# --- sparse products ------------------------------------------------------------------------


def generator():
    return torch.Generator().manual_seed(0)


def test_adam_is_adam():
    g = generator()
    ours = [torch.randn(400, 100, generator=g), torch.randn(7, generator=g)]
    theirs = [p.clone().requires_grad_() for p in ours]
    ours = [p.requires_grad_() for p in ours]
    known = torch.optim.Adam(theirs, lr=0.01, betas=(0.8, 0.95))
    adam = Adam(ours, 0.8, 0.95)
    for _ in range(5):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=g)
            q.grad = p.grad.clone()
        adam.step(0.01)
        known.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q)
        assert p.grad is None


@pytest.mark.parametrize(("d_sae", "k"), [(512, 5), (500, 5), (64, 20), (2048, 12)])
def test_largest_is_topk(d_sae, k):
    pre = torch.randn(40, d_sae, generator=generator())
    expected = pre.topk(k, dim=1).indices
    assert torch.equal(largest(pre, k).sort(dim=1).values, expected.sort(dim=1).values)


def test_sparse_products_have_the_gradients_of_the_dense_ones():
    g = generator()
    x, W, b, D = (
        torch.randn(*shape, generator=g, dtype=torch.float64, requires_grad=True)
        for shape in ((7, 5), (11, 5), (11,), (11, 5))
    )
    pre = (x @ W.T + b).detach()
    index = pre.topk(3, dim=1).indices
    weights = torch.randn(7, 5, generator=g, dtype=torch.float64)
    out = decode_at(torch.relu(values_at(x, W, b, pre, index)), index, D)
    found = torch.autograd.grad((out * weights).sum(), (x, W, b, D))
    dense = torch.zeros(7, 11, dtype=torch.float64).scatter(1, index, 1.0)
    plain = (torch.relu(x @ W.T + b) * dense) @ D
    expected = torch.autograd.grad((plain * weights).sum(), (x, W, b, D))
    torch.testing.assert_close(out, plain)
    for a, e in zip(found, expected, strict=True):
        torch.testing.assert_close(a, e)


def test_the_auxiliary_loss_is_a_share_of_the_error():
    g = generator()
    x, error = torch.randn(6, 5, generator=g), torch.randn(6, 5, generator=g)
    W, b = torch.randn(9, 5, generator=g), torch.zeros(9)
    dead = torch.tensor([2, 7])
    pre = x @ W.T + b
    nothing = auxiliary(x, W, b, torch.zeros(9, 5), pre, error, dead, 4)
    assert float(nothing) == pytest.approx(1)
    z = torch.relu(pre) * torch.isin(torch.arange(9), dead)
    expected = (error - z @ W).square().sum() / error.square().sum()
    torch.testing.assert_close(auxiliary(x, W, b, W, pre, error, dead, 4), expected)


# --- settings and mistakes ------------------------------------------------------------------


def test_every_recipe_has_settings():
    assert set(SETTINGS) == set(RECIPES)
    assert all(isinstance(pick(RECIPES, name, "The recipe"), Recipe) for name in RECIPES)


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
    ("jumprelu", {"k": 3}, "The setting 'k' of the recipe jumprelu is unknown."),
    ("top_k", {}, "The recipe 'top_k' is unknown. Did you mean 'topk'? Known: jumprelu, topk."),
]


@pytest.mark.parametrize(("recipe", "settings", "message"), SETTING_MISTAKES)
def test_settings_are_checked(recipe, settings, message):
    with pytest.raises(ValueError) as error:
        parse(recipe, settings)
    assert str(error.value).startswith(message)


def test_activations_that_cannot_be_used_are_named(tmp_path):
    bad = X[:100].copy()
    bad[17, 3] = np.nan
    with pytest.raises(ValueError) as error:
        quick(x=bad, hold_out=0)
    assert str(error.value) == "activations of L1R: row 17 of x holds NaN or infinity."
    with pytest.raises(ValueError, match="all rows of x are equal"):
        quick(x=np.ones((50, 8), np.float32))
    with pytest.raises(ValueError, match="training needs tokens; got 1"):
        quick(x=X[:1])
    with pytest.raises(ValueError, match="k must be at most d_sae; got 129"):
        quick(k=129)
    with pytest.raises(ValueError, match=r"l0 must lie in 0\.\.128"):
        quick("jumprelu", l0=200.0)
