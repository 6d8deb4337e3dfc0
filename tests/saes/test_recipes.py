"""Recipes: each one's loss by a plain formula, its gradient, its folding, its ways."""

from itertools import islice

import numpy as np
import pytest
import torch

from planting import SITE, X, quick
from recipes import QUICK, RECIPE_CASES, D, Given, M
from saegrid.base.registry import pick
from saegrid.saes.formats.sae_lens import open_checkpoint, write_sae_lens
from saegrid.saes.sae import decode, encode, fold_decoder_norms
from saegrid.saes.training import RECIPES
from saegrid.saes.training.jump import jump, jumped
from saegrid.saes.training.loop import world_of
from saegrid.saes.training.recipe import Batch, Start
from saegrid.saes.training.settings import parse
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import of_array

N = 40
NONE = torch.empty(0, dtype=torch.int64)


def test_every_recipe_has_its_case():
    RECIPE_CASES.check(RECIPES)
    assert SITE.layer == 1 and len(X) == 20_000


def parameters(recipe, seed=0):
    """Random parameters with free decoder norms, in float64."""
    g, case = torch.Generator().manual_seed(seed), RECIPE_CASES[recipe]
    found = {
        name: torch.randn(shape, generator=g, dtype=torch.float64) * 0.5
        for name, shape in case.shapes.items()
    }
    for name, value in case.fixed.items():
        found[name].fill_(value)
    return found


def tokens(seed=1, n=N):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def told(recipe, **settings):
    """Settings that suit a few features, and else its own."""
    return parse(recipe, {key: v for key, v in QUICK[recipe].items() if key == "k"} | settings)


def plain(recipe, p, x, s, progress):
    """The loss as its formula reads: reconstruction, sparsity and other terms; and z."""
    given = Given(p, x, s, progress)
    z, terms = RECIPE_CASES[recipe].plain(given)
    return terms, given.squared(z), z


CASES = [*((name, {}) for name in RECIPES), ("topk_relu", {"k": None})]


@pytest.mark.parametrize(("recipe", "settings"), CASES)
@pytest.mark.parametrize("progress", [0.02, 0.7])
def test_the_loss_is_the_formula(recipe, settings, progress):
    s, x = told(recipe, **settings), tokens()
    p = parameters(recipe)
    expected, squared, z = plain(recipe, p, x, s, progress)
    batch = Batch(x, 3.0, NONE, progress)
    found = pick(RECIPES, recipe, "").step(p, batch, s)
    terms = found.reconstruction, found.sparsity, found.auxiliary
    assert [float(t) for t in terms] == pytest.approx([float(t) for t in expected], rel=1e-9)
    assert float(found.squared) == pytest.approx(float(squared), rel=1e-9)
    assert found.l0() == pytest.approx(float((z > 0).sum()) / N)
    assert torch.equal(found.fired, (z > 0).any(dim=0))


@pytest.mark.parametrize("recipe", RECIPES)
def test_losses_of_held_out_tokens_can_be_compared_over_the_training(recipe):
    """Weights that rise are whole there: patience compares these losses."""
    p, x = parameters(recipe), tokens()
    early, late = (
        pick(RECIPES, recipe, "").step(p, Batch(x, 3.0, NONE, progress, learn=False), told(recipe))
        for progress in (0.0, 1.0)
    )
    for name in ("reconstruction", "sparsity", "auxiliary"):
        assert float(getattr(early, name)) == float(getattr(late, name)), name


EXACT = [c for c in CASES if c[0] not in RECIPE_CASES or not RECIPE_CASES[c[0]].estimated]


@pytest.mark.parametrize(("recipe", "settings"), EXACT)
def test_the_gradient_is_that_of_the_formula(recipe, settings):
    """Autograd of the plain formula, in float64; JumpReLU's is an estimate, see below."""
    s, x, p, q = told(recipe, **settings), tokens(), parameters(recipe), parameters(recipe)
    chosen = pick(RECIPES, recipe, "")
    trained = [name for name in p if name not in chosen.buffers]
    for name in trained:
        p[name].requires_grad_()
        q[name].requires_grad_()
    (r, sparsity, other), _, _ = plain(recipe, q, x, s, 0.7)
    (r + sparsity + other).backward()
    found = chosen.step(p, Batch(x, 3.0, NONE, 0.7), s)
    loss = found.reconstruction + found.sparsity + found.auxiliary
    if loss.requires_grad:
        loss.backward()
    for name in trained:
        torch.testing.assert_close(p[name].grad, q[name].grad, rtol=1e-9, atol=1e-12)


def test_the_gradient_of_a_threshold_is_estimated_in_a_window():
    """One feature, one token a case: 1 / bandwidth inside the window around the threshold."""
    recipe, s = pick(RECIPES, "jumprelu", ""), told("jumprelu", l0=1.0, bandwidth=0.5)
    for pre, inside in ((1.2, True), (0.8, True), (1.3, False), (0.7, False)):
        p = {
            "W_enc": torch.ones(1, 1),
            "b_enc": torch.zeros(1),
            "W_dec": torch.ones(1, 1),
            "b_dec": torch.zeros(1),
            "log_threshold": torch.zeros(1),
        }
        p = {name: value.requires_grad_() for name, value in p.items()}
        found = recipe.step(p, Batch(torch.tensor([[pre]]), 1.0, NONE, 1.0), s)
        (found.reconstruction + found.sparsity).backward()
        z = pre if pre > 1 else 0.0
        # d loss / d z * (-threshold / bandwidth), and the l0 term's 2 (l0 - 1) * (-1 / bandwidth).
        expected = (2 * (z - pre) * -1 + 2 * ((z > 0) - 1) * -1) / 0.5 if inside else 0.0
        assert float(p["log_threshold"].grad) == pytest.approx(expected, abs=1e-6)


def test_the_estimate_reaches_pre_activations_where_the_recipe_lets_it():
    pre = torch.tensor([[1.2], [0.8], [1.3]], requires_grad=True)
    z, _ = jump(pre, torch.ones(1), 0.5)
    z.sum().backward()
    inside = 1 / 0.5
    assert pre.grad[:, 0].tolist() == pytest.approx([1 + inside, inside, 1.0])


@pytest.mark.parametrize("features", [5, 200])
def test_what_lies_above_thresholds_has_the_gradients_of_the_formula(features, monkeypatch):
    """In float64, in blocks of 64 features; of thresholds by the estimate as it is stated."""
    monkeypatch.setattr("saegrid.saes.training.jump.BLOCK", 64 * 30)
    g = torch.Generator().manual_seed(0)
    shapes = (30, 4), (features, 4), (features,), (features, 4), (30, 4)
    x, W_enc, b_enc, W_dec, target = (
        torch.randn(s, generator=g, dtype=torch.float64) for s in shapes
    )
    threshold = torch.rand(features, generator=g, dtype=torch.float64) + 0.2
    given = [t.requires_grad_() for t in (x, W_enc, b_enc, W_dec)]
    threshold.requires_grad_()
    pre = x @ W_enc.T + b_enc
    x_hat, l0, active = jumped(x, (W_enc, b_enc, W_dec), threshold, pre.detach(), 0.7)
    loss = (x_hat - target).square().sum() + 3 * l0
    found = torch.autograd.grad(loss, [*given, threshold])

    z = pre * (pre > threshold)
    error = z @ W_dec - target
    expected = torch.autograd.grad(error.square().sum(), given)
    near = ((pre - threshold).abs() < 0.35).double() / 0.7
    felt = (2 * error @ W_dec.T * threshold + 3 / len(x)) * near
    torch.testing.assert_close(x_hat, z @ W_dec)
    assert float(l0.detach()) == active.l0() == float((z > 0).sum()) / 30
    for a, e in zip(found, (*expected, -felt.sum(dim=0)), strict=True):
        torch.testing.assert_close(a, e)


def test_nothing_above_its_threshold_moves_thresholds_alone():
    x, W = torch.ones(3, 2), torch.ones(4, 2).requires_grad_()
    threshold = torch.full((4,), 9.0).requires_grad_()
    b = torch.zeros(4, requires_grad=True)
    x_hat, l0, active = jumped(x, (W, b, W), threshold, (x @ W.T).detach(), 20.0)
    (x_hat.sum() + l0).backward()
    assert not x_hat.any() and active.l0() == 0 and not W.grad.any() and not b.grad.any()
    # All pre-activations are 2 and within the window: -(2 * 9 * 3 + 1) / 20 each.
    torch.testing.assert_close(threshold.grad, torch.full((4,), -(2 * 9 * 3 + 1) / 20))


def test_bfloat16_changes_what_thresholds_feel_by_its_rounding():
    g = torch.Generator().manual_seed(0)
    x, W = torch.randn(200, 32, generator=g), torch.randn(96, 32, generator=g)
    found = []
    for dtype in ("float32", "bfloat16"):
        threshold = torch.full((96,), 5.0).requires_grad_()
        x_hat, l0, _ = jumped(x, (W, torch.zeros(96), W), threshold, x @ W.T, 2.0, dtype)
        ((x_hat - x).square().sum() + l0).backward()
        found.append(threshold.grad)
    assert 0 < (found[0] - found[1]).abs().max() < 0.02 * found[0].abs().max()


@pytest.mark.parametrize("recipe", ["jumprelu_tanh", "tied"])
def test_features_begin_active_on_few_tokens(recipe):
    """Each on one token in 64; from half of them none becomes a direction."""
    rows = torch.nn.functional.normalize(tokens(seed=2, n=512).float())
    x = tokens(n=640).float()
    begin, chosen = Start(rows, x.mean(dim=0), x), pick(RECIPES, recipe, "")
    first = chosen.start(begin, told(recipe))
    pre = x @ first.get("W_enc", first.get("W")).T + first["b_enc"]
    threshold = first["log_threshold"].exp() if "log_threshold" in first else 0.0
    share = (pre > threshold).float().mean(dim=0)
    assert (share - 1 / 64).abs().max() <= 2 / 640


# --- what is written ------------------------------------------------------------------------


@pytest.mark.parametrize(("recipe", "settings"), CASES)
@pytest.mark.parametrize("scale", [1.0, 0.125])
def test_d4_folding_changes_no_reconstruction(tmp_path, recipe, settings, scale):
    """Raw activations through the file give what the recipe's own parameters give."""
    s, p, raw = told(recipe, **settings), parameters(recipe, seed=3), tokens(n=200) * 8
    chosen = pick(RECIPES, recipe, "")
    if chosen.unit_decoder:
        p["W_dec"] /= p["W_dec"].norm(dim=1, keepdim=True)
    p = {name: value.float() for name, value in p.items()}
    x = (raw * scale).float()
    with torch.no_grad():
        found = chosen.step(dict(p), Batch(x, 3.0, NONE, 1.0, learn=False), s)
    folded = chosen.finish(p, scale, s)
    tensors = {name: np.ascontiguousarray(t.numpy()) for name, t in folded.tensors.items()}
    cfg = {"architecture": folded.architecture, "d_in": D, "d_sae": M, **folded.keys}
    write_sae_lens(tmp_path, cfg, tensors)
    sae = open_checkpoint(tmp_path)
    z = encode(sae.encoder, raw.numpy())
    error = np.square(raw.numpy() - decode(sae, z)).sum() * scale**2
    assert error == pytest.approx(float(found.squared), rel=1e-5)
    assert (z > 0).sum() / len(raw) == pytest.approx(found.l0())
    if RECIPE_CASES[recipe].folded and sae.encoder.k is None:
        np.testing.assert_allclose(sae.decoder.norms, 1, rtol=1e-5)
        again = fold_decoder_norms(sae)
        np.testing.assert_allclose(
            decode(again, encode(again.encoder, raw.numpy())), decode(sae, z), rtol=1e-5, atol=1e-5
        )


def test_d4_topk_is_kept_in_its_own_gauge():
    """n = (1, 10): folded norms would let the other feature win, so they are not folded."""
    p = {
        "W_enc": torch.tensor([[1.0, 0.0], [0.0, 0.5]]),
        "b_enc": torch.zeros(2),
        "W_dec": torch.tensor([[1.0, 0.0], [0.0, 10.0]]),
        "b_dec": torch.zeros(2),
    }
    folded = pick(RECIPES, "topk_relu", "").finish(p, 1.0, told("topk_relu", k=1))
    assert torch.equal(folded.tensors["W_dec"], p["W_dec"])
    assert folded.keys["rescale_acts_by_decoder_norm"] is False


def test_batchtopk_has_as_many_active_with_its_threshold():
    trained = quick("batchtopk", steps=200)
    assert trained.cfg["architecture"] == "jumprelu"
    assert len(np.unique(trained.tensors["threshold"])) == 1
    assert trained.health["l0"]["value"] == pytest.approx(4, rel=0.15)


# --- coefficients ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "key", "low", "high"),
    [
        ("relu_l1", "l1", 0.5, 5.0),
        ("scaling", "l1", 0.5, 5.0),
        ("relu_kl", "kl", 0.0, 10.0),
        ("jumprelu_tanh", "sparsity", 0.05, 1.0),
        ("tied", "l1", 1e-5, 10.0),
    ],
)
def test_l0_falls_with_the_coefficient(recipe, key, low, high):
    few = {"steps": 150}
    l0 = [quick(recipe, **few, **{key: v}).health["l0"]["value"] for v in (low, high)]
    assert 0 < l0[1] < 0.7 * l0[0], l0


def test_without_k_all_positive_pre_activations_pass():
    trained = quick("topk_relu", k=None)
    assert trained.cfg["architecture"] == "standard"
    assert trained.health["l0"]["value"] > 20


# --- KL ---------------------------------------------------------------------------------------


def test_shares_of_active_tokens_come_to_rho():
    """The smooth shares to rho itself, where the term outweighs the error."""
    s = told("relu_kl", rho=0.05, kl=1e4, steps=200, batch=2048, lr=0.02)
    state = State(Run("relu_kl", vars(s), 4), world_of(of_array(X, 0.1, 0), 0))
    for x in islice(state.world.stream.batches(2048, 0, 0), s.steps):
        state.learn(state.transform(x))
    p, x = state.final(), state.transform(X[:4000])
    q = torch.sigmoid((x @ p["W_enc"].T + p["b_enc"]) / s.softness).mean(dim=0)
    assert (q - 0.05).abs().max() < 0.01


def test_features_that_are_silent_for_ever_feel_the_term():
    """Its gradient is there where every sigmoid of a batch is zero in float32."""
    p = {name: value.float().requires_grad_() for name, value in parameters("relu_kl").items()}
    with torch.no_grad():
        p["b_enc"] -= 100
    batch = Batch(tokens().float(), 3.0, NONE, 1.0)
    pick(RECIPES, "relu_kl", "").step(p, batch, told("relu_kl")).sparsity.backward()
    # d KL / d b = -rho / q * q / softness: q goes down as its own derivative does.
    torch.testing.assert_close(p["b_enc"].grad, torch.full((M,), -0.02 / 0.1))


@pytest.mark.parametrize(
    ("recipe", "setting", "value"),
    [
        ("relu_kl", "rho", 0),
        ("relu_kl", "softness", 0),
        ("jumprelu", "bandwidth", 0),
        ("jumprelu", "l0", 0),
    ],
)
def test_what_would_divide_by_zero_is_refused(recipe, setting, value):
    with pytest.raises(ValueError, match=f"{setting} of the recipe {recipe} must be a number abov"):
        parse(recipe, {setting: value})
