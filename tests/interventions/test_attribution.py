"""Attribution: in a linear model it is the ablation change; sums are complete; mistakes show."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from linear import linear
from saegrid.base.words import Site
from saegrid.interventions import attribution, passes
from saegrid.interventions.ablation import effects
from saegrid.interventions.agreement import completeness, pearson
from saegrid.interventions.attribution import attribute
from saegrid.interventions.differences import BEST, Prompts
from saegrid.interventions.live import live
from saegrid.interventions.passes import against_best, run
from saegrid.models.hooks import editing
from saegrid.models.load import ModelError
from saegrid.models.tiles import Rows
from saegrid.saes import fronts
from saegrid.saes.sae import as_read, encode
from subjects import random_sae, sae_of
from toys import TOYS, random_rows, toy_bert, toy_llama

LENGTHS = [9, 3, 17, 9, 5, 2, 24, 9]
SITE = Site(0, "R")
RNG = np.random.default_rng


def prompts_of(lengths=LENGTHS, vocab=40, seed=0):
    """Random prompts; the first token of each is special."""
    rows = random_rows(lengths, vocab, seed)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    special = np.zeros(starts[-1], bool)
    special[starts[:-1]] = True
    plus, minus = RNG(seed).integers(3, vocab, (2, len(rows)))
    minus = np.where(plus == minus, 3 + (minus - 2) % (vocab - 3), minus)
    ids = Rows(np.concatenate(rows).astype(np.int64), starts)
    return Prompts(ids, special, plus, minus, np.arange(len(rows)), [""] * len(rows))


def numbers(model, sae, prompts, site=SITE, steps=4):
    """The SAE, its attributions and the true effects of all active features."""
    one = live(sae, site=site)
    pairs = attribute(model, one, prompts, steps)
    every = np.arange(len(pairs.prompt))
    return one, pairs, effects(model, one, prompts, pairs, every)


# --- a linear model ------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["L0R", "L0A", "L1M", "L0B", "L1N"])
def test_in_a_linear_model_it_is_minus_the_ablation_change_of_every_feature(site):
    model, prompts, site = linear(), prompts_of(), Site.parse(site)
    _, pairs, effect = numbers(model, random_sae(m=160, k=9), prompts, site)
    assert len(effect) > 100
    assert np.abs(effect).max() > 1
    np.testing.assert_allclose(pairs.attribution, effect, rtol=0, atol=1e-10)
    np.testing.assert_allclose(pairs.integrated, effect, rtol=0, atol=1e-10)


def by_hand(model, sae, prompts, number, feature, site=SITE):
    """L without a feature less L: one prompt, one feature, plain hooks."""
    begin, end = prompts.rows.starts[number : number + 2]
    ids = torch.from_numpy(prompts.rows.ids[begin:end])[None]
    kept = torch.from_numpy(~prompts.special[begin:end])
    v = torch.from_numpy(sae.decoder_rows([feature]) if sae.unit else sae.decoder.rows([feature]))

    def without(x):
        z = encode(sae.encoder, x[0].double().numpy())[:, feature]
        return torch.where(kept[:, None], x[0] - torch.from_numpy(z)[:, None] * v, x[0])[None]

    def value(logits):
        last = logits[0, -1]
        return float(last[prompts.plus[number]] - last[prompts.minus[number]])

    head = model.model.get_output_embeddings()
    with torch.inference_mode():
        before = value(head(model.hidden(ids)))
        with editing(model, {site: without}):
            return value(head(model.hidden(ids))) - before


def test_effects_are_those_of_plain_hooks():
    model, prompts, sae = linear(), prompts_of(), random_sae(m=160, k=9)
    _, pairs, effect = numbers(model, sae, prompts)
    for pair in RNG(0).choice(len(effect), 40, replace=False):
        change = by_hand(model, sae, prompts, pairs.prompt[pair], pairs.feature[pair])
        assert effect[pair] == pytest.approx(-change, abs=1e-5)


def test_the_sums_are_complete_and_no_term_may_be_forgotten():
    model, prompts = linear(), prompts_of()
    _, pairs, _ = numbers(model, random_sae(m=160, k=9), prompts)
    sums = pairs.prompts
    residual = completeness(sums)["gradient", "identity"]
    assert residual.max() < 1e-6, "codes and rows are float32"
    for term in ("features", "error", "bias"):
        forgotten = {**sums, term: np.zeros(len(prompts))}
        assert np.median(completeness(forgotten)["gradient", "identity"]) > 0.01, term
    np.testing.assert_allclose(
        sums["difference"] - sums["without"], sums["features"], rtol=0, atol=1e-9
    )
    assert completeness(sums)["integrated", "completeness"].max() < 1e-9


@pytest.mark.parametrize("mistake", ["sign", "last position", "site", "scale"])
def test_a_mistake_shows(mistake, monkeypatch):
    """Each is made on purpose: attributions are then no ablation changes."""
    model, prompts, sae = linear(), prompts_of(), random_sae(m=160, k=9)
    one, pairs, effect = numbers(model, sae, prompts, steps=0)
    plain = run(model, prompts, one)
    gradient = plain.gradient.numpy().copy()
    if mistake == "sign":
        gradient *= -1
    elif mistake == "last position":
        last = np.zeros(len(gradient), bool)
        last[prompts.rows.starts[1:] - 1] = True
        gradient[~last] = 0
    elif mistake == "site":
        other = live(sae, site=Site(1, "R"))
        gradient = run(model, prompts, other).gradient.numpy()
    elif mistake == "scale":
        gradient *= 1.01
    wrong = plain._replace(gradient=torch.from_numpy(gradient))
    monkeypatch.setattr(attribution, "run", lambda *args, **how: wrong)
    again = attribute(model, one, prompts, 0)
    assert not np.allclose(again.attribution, effect, rtol=1e-4, atol=1e-6)
    assert np.allclose(pairs.attribution, effect, rtol=1e-4, atol=1e-6)


def test_with_the_error_in_the_graph_the_gradient_is_exactly_zero():
    """Why y is cut off: x_hat + (x - x_hat) is x, whatever z is, if the error follows z."""
    model, prompts, sae = linear(), prompts_of([9]), random_sae(m=160, k=9)
    ids = torch.from_numpy(prompts.rows.ids)[None]
    W = torch.from_numpy(sae.decoder.rows(np.arange(160)))
    seen = {}

    def splice(x, detached):
        z = torch.from_numpy(encode(sae.encoder, x[0].numpy())).requires_grad_()
        x_hat = z @ W
        seen["z"], error = z, x[0] - x_hat
        return (x_hat + (error.detach() if detached else error))[None]

    for detached in (False, True):
        with editing(model, {SITE: lambda x, how=detached: splice(x, how)}):
            hidden = model.hidden(ids)
        logits = model.model.get_output_embeddings()(hidden[0, -1])
        value = logits[prompts.plus[0]] - logits[prompts.minus[0]]
        (g,) = torch.autograd.grad(value, seen["z"])
        seen[detached] = (g * seen["z"]).detach()[1:].sum(0).numpy()  # BOS left alone
    assert np.abs(seen[False]).max() < 1e-12
    pairs = attribute(model, live(sae, site=SITE), prompts, 0)
    np.testing.assert_allclose(pairs.attribution, seen[True][pairs.feature], atol=1e-5)


# --- formats -------------------------------------------------------------------------------------


def fronted(front, **how):
    sae = random_sae(m=160, k=9)
    return replace(sae, encoder=replace(sae.encoder, front=front, **how))


SAES = {
    "jumprelu": lambda: sae_of(*weights(), threshold=0.4),
    "unit": lambda: sae_of(*weights(), k=9, unit=True),
    "centred": lambda: replace(
        random_sae(m=160, k=9), encoder=replace(random_sae(m=160, k=9).encoder, centred=True)
    ),
    "layer_norm": lambda: fronted(fronts.LAYER_NORM),
    "constant_norm": lambda: fronted(fronts.CONSTANT_NORM),
    "transcoder": lambda: replace(random_sae(m=160, k=9), writes=Site(0, "M")),
    "skip": lambda: replace(
        random_sae(m=160, k=9),
        writes=Site(0, "M"),
        skip=RNG(3).normal(size=(16, 16)).astype(np.float32),
    ),
}


def weights(d=16, m=160):
    rng = RNG(5)
    return rng.normal(size=(m, d)) / 4, rng.normal(size=m) / 8, rng.normal(size=(m, d)), np.ones(d)


@pytest.mark.parametrize("name", SAES)
def test_every_kind_of_sae_has_exact_attributions_and_complete_sums(name):
    sae, model, prompts = SAES[name](), linear(), prompts_of()
    site = Site(0, "I") if sae.writes else SITE
    one, pairs, effect = numbers(model, sae, prompts, site)
    assert np.abs(effect).max() > 0.1
    np.testing.assert_allclose(pairs.attribution, effect, rtol=0, atol=1e-10)
    assert completeness(pairs.prompts)["gradient", "identity"].max() < 1e-6
    # By another way: the reference's codes, rows and scales, of one prompt.
    begin, end = prompts.rows.starts[2:4]
    plain = run(model, prompts, one)
    x, g = (part[begin + 1 : end].double().numpy() for part in (plain.x, plain.gradient))
    z = encode(sae.encoder, x)
    front = sae.encoder.front
    scale = front.numbers(x).scale_out if front else 1.0
    rows = sae.decoder_rows(np.arange(160)) if sae.unit else sae.decoder.rows(np.arange(160))
    expected = (z * scale * (g @ rows.T)).sum(0)
    own = pairs.of(2)
    np.testing.assert_allclose(pairs.attribution[own], expected[pairs.feature[own]], atol=2e-5)
    assert set(np.flatnonzero(z.any(0))) == set(pairs.feature[own])
    assert as_read(sae.encoder, x).shape == x.shape


# --- transformers --------------------------------------------------------------------------------


def fitted(model, prompts, site, m=128, k=8):
    """An SAE whose features are directions that occur at the site."""
    plain = run(model, prompts, live(random_sae(d=32), site=site), back=False)
    x = plain.x[torch.from_numpy(~prompts.special)].numpy()
    rng = RNG(1)
    W = x[rng.choice(len(x), m, replace=len(x) < m)] - x.mean(0) + 0.3 * rng.normal(size=(m, 32))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    return sae_of(W, -(W @ x.mean(0)), W / 4, x.mean(0), k)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_in_a_transformer_it_tells_more_of_ablation_than_activation_does(name):
    model, site = TOYS[name](layers=3), Site(1, "R")
    prompts = prompts_of([12] * 12, vocab=64)
    _, pairs, effect = numbers(model, fitted(model, prompts, site), prompts, site)
    r = {
        kind: np.mean([pearson(values[pairs.of(p)], effect[pairs.of(p)]) for p in range(12)])
        for kind, values in (("gradient", pairs.attribution), ("activation", pairs.activation))
    }
    assert r["gradient"] > 0.8
    assert r["gradient"] > r["activation"] + 0.3
    sums = pairs.prompts
    assert completeness(sums)["gradient", "identity"].max() < 1e-5
    assert np.median(completeness(sums)["integrated", "completeness"]) < 0.1


KINDS = ["cohere", "gemma2", "gpt_neo", "granite", "mixtral", "opt", "phi", "qwen3"]


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_models(kind):
    """With factors and bounds of logits, flat MLPs, experts and plain attention."""
    model, site = TOYS[kind](), Site(0, "M")
    prompts, sae = prompts_of([9, 5], vocab=64), random_sae(d=32, m=160, k=4)
    _, _, effect = numbers(model, sae, prompts, site, steps=0)
    one = live(sae, site=site)
    plain = run(model, prompts, one)
    for number in range(2):
        begin, end = prompts.rows.starts[number : number + 2]
        ids = torch.from_numpy(prompts.rows.ids[begin:end])[None]
        with torch.inference_mode():
            logits = model.logits(model.hidden(ids))[0, -1].double()
        expected = float(logits[prompts.plus[number]] - logits[prompts.minus[number]])
        assert plain.difference[number] == pytest.approx(expected, abs=1e-4)
    assert np.abs(effect).max() > 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_dtypes(dtype):
    wide, site = toy_llama(), Site(0, "R")
    prompts, sae = prompts_of([12] * 4, vocab=64), random_sae(d=32, m=160, k=9)
    narrow = toy_llama(dtype=dtype)
    one, other = (attribute(m, live(sae, site=site), prompts, 0) for m in (wide, narrow))
    both = {}
    for p, f, a in zip(one.prompt, one.feature, one.attribution, strict=True):
        both[p, f] = [a]
    for p, f, a in zip(other.prompt, other.feature, other.attribution, strict=True):
        both.setdefault((p, f), []).append(a)
    alike = np.array([values for values in both.values() if len(values) == 2])
    assert pearson(*alike.T) > 0.95


@pytest.mark.parametrize("kind", ["llama", "opt"])
def test_a_narrow_models_backward_products_are_those_of_float32(kind, monkeypatch):
    """The same numbers to rounding, and the modules are as before."""
    model, one = TOYS[kind](dtype=torch.bfloat16), live(random_sae(d=32, m=160, k=9), site=SITE)
    prompts = prompts_of([12] * 4, vocab=64)
    quick = run(model, prompts, one).gradient.double().flatten().numpy()
    assert not any("forward" in vars(part) for part in model.model.modules())
    with passes._quick(model, True):
        assert any("forward" in vars(part) for part in model.model.modules())
    monkeypatch.setattr(passes, "_quick", lambda *args: contextlib.nullcontext())
    plain = run(model, prompts, one).gradient.double().flatten().numpy()
    assert pearson(quick, plain) > 0.999


def test_prompts_in_any_company_give_the_same_bytes(monkeypatch):
    model, site, sae = toy_llama(), Site(0, "R"), random_sae(d=32, m=160, k=9)
    prompts = prompts_of(LENGTHS * 3, vocab=64)
    one, pairs, effect = numbers(model, sae, prompts, site)
    for some in ([5], [2, 3], list(range(23, -1, -1))):
        part = prompts.take(some)
        _, alone, own = numbers(model, sae, part, site)
        for at, number in enumerate(some):
            here, there = alone.of(at), pairs.of(number)
            for name in ("feature", "attribution", "integrated", "activation"):
                assert np.array_equal(getattr(alone, name)[here], getattr(pairs, name)[there]), name
            assert np.array_equal(own[here], effect[there])
            for name, values in alone.prompts.items():
                assert values[at] == pairs.prompts[name][number], name
    monkeypatch.setattr(attribution, "TOKENS", 20)
    chunked = attribute(model, one, prompts, 4)
    assert all(
        np.array_equal(a, b) for a, b in zip(chunked[:9], pairs[:9], strict=True) if a is not b
    )
    assert all(np.array_equal(chunked.prompts[k], v) for k, v in pairs.prompts.items())
    some = RNG(0).choice(len(effect), 7, replace=False)
    assert np.array_equal(effects(model, one, prompts, pairs, np.sort(some)), effect[np.sort(some)])


def test_only_active_decoder_rows_are_read():
    sae = random_sae(d=32, m=4096, k=3)
    asked = []
    read = sae.decoder.read
    counted = replace(sae, decoder=replace(sae.decoder, read=lambda f: asked.append(f) or read(f)))
    prompts = prompts_of([6], vocab=64)
    one = live(counted, site=SITE)
    object.__setattr__(one, "_decoder", None)  # as if it were too large to be held
    pairs = attribute(toy_llama(), one, prompts, 0)
    assert len(pairs.feature) <= 15
    assert sorted(set(np.concatenate(asked).tolist())) == sorted(set(pairs.feature.tolist()))


def test_the_best_other_token_is_the_models():
    model = toy_llama()
    prompts = prompts_of(vocab=64)
    blank = replace(prompts, minus=np.where(np.arange(8) == 3, prompts.minus, BEST))
    known = against_best(model, blank)
    assert known.minus[3] == prompts.minus[3]
    for number in (0, 1, 6):
        begin, end = prompts.rows.starts[number : number + 2]
        with torch.inference_mode():
            logits = model.output(torch.from_numpy(prompts.rows.ids[begin:end])[None])[0, -1]
        order = logits.argsort(descending=True).tolist()
        assert known.minus[number] == next(i for i in order if i != prompts.plus[number])


def test_hooks_are_gone_and_weights_have_no_gradient():
    model, sae, prompts = toy_llama(), random_sae(d=32, m=160, k=9), prompts_of([9, 4], vocab=64)

    def hooks():
        parts = list(model.model.modules())
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in parts)

    before = hooks()
    numbers(model, sae, prompts)
    assert hooks() == before
    assert all(p.grad is None and not p.requires_grad for p in model.model.parameters())


def test_an_encoder_is_refused_in_one_sentence():
    with pytest.raises(ModelError) as error:
        attribute(toy_bert(), live(random_sae(d=32), site=SITE), prompts_of(vocab=64))
    assert str(error.value) == (
        "toy bert: a bert model does not predict the next token, so that no feature can be held "
        "against its logits. Take a causal model."
    )


def test_a_prompt_without_an_active_feature_has_no_pair_and_no_sum():
    sae = sae_of(np.eye(32), np.full(32, -1e6), np.eye(32), np.zeros(32), threshold=0.0)
    pairs = attribute(toy_llama(), live(sae, site=SITE), prompts_of([4, 1], vocab=64), 2)
    assert len(pairs.feature) == 0
    assert np.array_equal(pairs.prompts["features"], [0, 0])
    assert np.array_equal(pairs.prompts["without"], pairs.prompts["difference"])
