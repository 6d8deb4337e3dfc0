"""Generation under edits: known noise, agreement with the library, with and without a cache."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saegrid.base.words import Site
from saegrid.interventions.edits import Change, Push, intervening
from saegrid.interventions.generate import by_library, generate, gumbel
from saegrid.interventions.live import InterventionError, live
from saegrid.models.hooks import reading
from subjects import random_sae
from toys import TOYS, random_rows, toy_bert, toy_llama

D, SITE = 32, Site(0, "R")
PROMPTS = [[1, *row] for row in random_rows([5, 1, 9, 3])]
CAUSAL = ["llama", "gpt2", "opt", "gemma3_text", "mistral", "gpt_neox", "phi", "cohere"]


def an_sae(site=SITE, k=5, **more):
    return live(replace(random_sae(D, 4 * D, k), site=site, **more))


def edits(n, site=SITE, k=5):
    """A feature and a strength of its own for each of n rows, of both signs."""
    features, values = np.resize([3, 7, 3, 50], n), np.resize([6.0, -3.0, 2.0, 9.0], n)
    return [(an_sae(site, k), Change("clamp", features, values))]


def saes():
    read = {"llama": Site(1, "A"), "gpt2": Site(0, "M")}
    return [(kind, read.get(kind, Site(0, "R"))) for kind in CAUSAL]


# --- noise ----------------------------------------------------------------------------------


def test_noise_is_gumbel_and_belongs_to_prompt_seed_and_step():
    noise = gumbel([(0, 0), (4, 1), (0, 0), (0, 1)], 3, 20_000)
    assert noise[0].tobytes() == noise[2].tobytes() == gumbel([(0, 0)], 3, 20_000)[0].tobytes()
    assert abs(np.corrcoef(noise[[0, 1, 3]]) - np.eye(3)).max() < 0.03
    assert abs(np.corrcoef(noise[0], gumbel([(0, 0)], 4, 20_000)[0])[0, 1]) < 0.03
    # Mean: Euler's constant; variance: pi^2 / 6.
    assert noise[0].mean() == pytest.approx(0.5772, abs=0.03)
    assert noise[0].var() == pytest.approx(np.pi**2 / 6, rel=0.05)
    assert np.isfinite(noise).all()


def test_noise_known_answer():
    """The first number of numpy's Philox with that key and counter, by hand."""
    bits = np.random.Philox(key=[2, 7], counter=[0, 0, 0, 5])
    uniform = np.random.Generator(bits).random()
    expected = -np.log(-np.log(uniform))
    assert gumbel([(2, 7)], 5, 1)[0, 0] == pytest.approx(expected, rel=1e-12)


def test_the_largest_of_logit_and_noise_has_the_shares_of_the_softmax():
    logits = np.array([0.0, 1.0, 2.0])
    drawn = [np.argmax(logits + gumbel([(seed, 0)], 0, 3)[0]) for seed in range(3000)]
    shares = np.bincount(drawn, minlength=3) / 3000
    np.testing.assert_allclose(shares, np.exp(logits) / np.exp(logits).sum(), atol=0.03)


def test_temperature_divides_the_logits_before_the_noise():
    model, noise = toy_llama(), [(row, 5) for row in range(4)]
    result = generate(model, PROMPTS, 1, temperature=0.7, noise=noise)
    for row, prompt in enumerate(PROMPTS):
        with torch.no_grad():
            logits = model.output(torch.tensor([prompt]))[0, -1].double().numpy()
        assert result.ids[row, 0] == np.argmax(logits / 0.7 + gumbel([noise[row]], 0, 64)[0])


def test_arms_share_their_noise():
    """Rows of one prompt and seed give one text, whatever stands beside them."""
    model, rows = toy_llama(), [PROMPTS[0]] * 3 + [PROMPTS[2]]
    noise = [(0, 0), (0, 1), (0, 0), (9, 0)]
    result = generate(model, rows, 12, temperature=1.0, noise=noise, ends=())
    alone = generate(model, [PROMPTS[2]], 12, temperature=1.0, noise=[(9, 0)], ends=())
    assert result.ids[0].tolist() == result.ids[2].tolist() != result.ids[1].tolist()
    assert result.ids[3].tolist() == alone.ids[0].tolist()
    # A change of nothing is nothing; a change of something parts the texts.
    feature = an_sae()
    value = [1.0, 1.0, 50.0, 1.0]
    arms = [(feature, Change("scale", 3, 1.0)), (feature, Push(np.ones(D), np.array(value) - 1))]
    edited = generate(model, rows, 12, arms, temperature=1.0, noise=noise, ends=())
    assert edited.ids[[0, 1, 3]].tolist() == result.ids[[0, 1, 3]].tolist()
    assert edited.ids[2].tolist() != result.ids[2].tolist()


# --- one loop, four ways ------------------------------------------------------------------------


@pytest.mark.parametrize("kind, site", saes())
@pytest.mark.parametrize("positions", ["all", "prompt", "generated"])
def test_with_and_without_a_cache(kind, site, positions):
    model, arms = TOYS[kind](), edits(4, site)
    settings = {"positions": positions, "ends": ()}
    cached = generate(model, PROMPTS, 12, arms, **settings)
    whole = generate(model, PROMPTS, 12, arms, cache=False, **settings)
    assert cached.ids.tolist() == whole.ids.tolist()
    assert cached.ids.tolist() != generate(model, PROMPTS, 12, ends=()).ids.tolist()


@pytest.mark.parametrize("kind, site", saes())
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_padded_and_single_rows_token_by_token(kind, site, temperature):
    model, settings = TOYS[kind](), {"temperature": temperature, "ends": ()}
    sae, change = edits(4, site)[0]
    batch = generate(model, PROMPTS, 12, [(sae, change)], **settings)
    for row, prompt in enumerate(PROMPTS):
        arm = Change("clamp", int(change.feature[row]), float(change.value[row]))
        single = generate(model, [prompt], 12, [(sae, arm)], noise=[(row, 0)], **settings)
        assert batch.ids[row].tolist() == single.ids[0].tolist()


@pytest.mark.parametrize("kind, site", saes())
def test_the_loop_is_the_librarys(kind, site):
    model, arms = TOYS[kind](), edits(4, site)
    for some in ((), arms):
        assert generate(model, PROMPTS, 12, some).rows() == by_library(model, PROMPTS, 12, some)


@pytest.mark.parametrize("positions", ["all", "prompt", "generated"])
def test_positions_are_three_different_texts(positions):
    model, arms = toy_llama(), [(an_sae(), Change("clamp", 3, 8.0))]
    texts = {
        name: generate(model, PROMPTS, 12, arms, positions=name, ends=()).ids.tolist()
        for name in ("all", "prompt", "generated")
    }
    assert all(texts[positions] != texts[other] for other in texts if other != positions)
    library = by_library(model, PROMPTS, 12, arms, positions=positions, ends=())
    assert library == texts[positions]


def test_a_prompt_of_one_token():
    model, arms = toy_llama(), [(an_sae(), Change("clamp", [3, 7], 8.0))]
    one = [[5], [9]]
    for positions in ("all", "prompt", "generated"):
        settings = {"positions": positions, "ends": ()}
        whole = generate(model, one, 8, arms, cache=False, **settings)
        assert generate(model, one, 8, arms, **settings).ids.tolist() == whole.ids.tolist()
        assert by_library(model, one, 8, arms, **settings) == whole.ids.tolist()
    # Clamped on the prompt alone, the first token is steered and generated ones are not.
    with torch.no_grad(), intervening(model, arms):
        first = model.output(torch.tensor(one))[:, -1].argmax(1)
    assert generate(model, one, 1, arms, positions="prompt").ids[:, 0].tolist() == first.tolist()


@pytest.mark.parametrize("beams, returned", [(3, 1), (3, 3), (1, 1)])
def test_beams_have_the_edits_of_their_prompt(beams, returned):
    """Rows of a prompt are beams of it: as many prompts together as each alone."""
    model, rows = toy_llama(), [PROMPTS[0], PROMPTS[2]]
    sae = an_sae()
    settings = {"num_beams": beams, "num_return_sequences": returned, "ends": ()}
    both = by_library(model, rows, 8, [(sae, Change("clamp", [3, 7], [9.0, -9.0]))], **settings)
    for number, (feature, value) in enumerate([(3, 9.0), (7, -9.0)]):
        change = Change("clamp", feature, value)
        alone = by_library(model, [rows[number]], 8, [(sae, change)], **settings)
        assert both[number * returned : (number + 1) * returned] == alone


def test_rows_that_beams_make_must_fit():
    arms = [(an_sae(), Change("clamp", [3, 7, 9, 11], 5.0))]
    with pytest.raises(InterventionError, match="do not fit 6 rows"):
        by_library(toy_llama(), [PROMPTS[0], PROMPTS[2]], 4, arms, num_beams=3)


def test_texts_end_at_a_token_that_ends_them():
    model = toy_llama()
    free = generate(model, PROMPTS, 12, ends=())
    assert free.length.tolist() == [12] * 4 and (free.ids >= 0).all()
    stop = int(free.ids[0, 4])
    result = generate(model, PROMPTS, 12, ends=[stop])
    for row, ids in enumerate(free.ids.tolist()):
        n = ids.index(stop) + 1 if stop in ids else 12
        assert result.rows()[row] == ids[:n] and result.length[row] == n
        assert (result.ids[row, n:] == -1).all()
    assert by_library(model, PROMPTS, 12, ends=[stop]) == result.rows()
    assert generate(model, PROMPTS[:1], 12, ends=[int(free.ids[0, 0])]).length.tolist() == [1]


# --- activations of generated tokens ------------------------------------------------------------


@pytest.mark.parametrize("cache", [True, False])
def test_one_row_of_activations_a_generated_token(cache):
    """n new tokens have n rows, the last one too; each is that of the token in the whole text."""
    model, sites, arms = toy_llama(), [Site(0, "R"), Site(1, "M")], edits(4)
    result = generate(model, PROMPTS, 6, arms, sites=sites, ends=(), cache=cache)
    sae, change = arms[0]
    for row, prompt in enumerate(PROMPTS):
        text = torch.tensor([[*prompt, *result.ids[row].tolist()]])
        x = {}
        readers = {site: lambda v, x=x, site=site: x.update({site: v}) for site in sites}
        arm = Change("clamp", int(change.feature[row]), float(change.value[row]))
        with torch.no_grad(), intervening(model, [(sae, arm)]), reading(model, readers):
            model.output(text)
        for site in sites:
            assert result.x[site].shape == (4, 6, D)
            torch.testing.assert_close(
                result.x[site][row], x[site][0, len(prompt) :], atol=2e-5, rtol=1e-4
            )


def test_activations_of_texts_that_have_ended():
    model = toy_llama()
    stop = int(generate(model, PROMPTS[:1], 3, ends=()).ids[0, 1])
    result = generate(model, PROMPTS[:1], 9, ends=[stop], sites=[Site(0, "R")])
    assert result.length.tolist() == [2] and result.x[Site(0, "R")].shape == (1, 2, D)


def test_hooks_are_removed():
    def hooks(model):
        parts = model.model.modules()
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in parts)

    model = toy_llama()
    for _ in range(3):
        generate(model, PROMPTS, 3, edits(4), sites=[Site(1, "R")])
        by_library(model, PROMPTS, 3, edits(4))
    assert hooks(model) == 0


# --- bad input ------------------------------------------------------------------------------


BAD = {
    "no token": (
        lambda: generate(toy_llama(), [[1, 5], []], 4),
        "Prompt 1 has no token: give it a word, or begin it with the model's BOS.",
    ),
    "no prompt": (
        lambda: generate(toy_llama(), [], 4),
        "At least one prompt is needed to generate; got none.",
    ),
    "no new token": (
        lambda: generate(toy_llama(), PROMPTS, 0),
        "At least one token must be generated; got 0.",
    ),
    "encoder": (
        lambda: generate(toy_bert(), PROMPTS, 4),
        "toy bert cannot generate: a bert model does not predict the next token. Take a causal "
        "model.",
    ),
    "too long": (
        lambda: generate(toy_llama(), [[1] * 60], 8),
        "Prompt 0 has 60 tokens, which with 8 new ones are more than the 64 that toy llama takes: "
        "shorten it.",
    ),
    "unknown id": (
        lambda: generate(toy_llama(), [[1, 64]], 8),
        "Prompt 0 has a token id that toy llama does not know (0 to 63): use the model's own "
        "tokenizer.",
    ),
    "temperature": (
        lambda: generate(toy_llama(), PROMPTS, 4, temperature=float("nan")),
        "temperature must be a number from 0 on; got nan.",
    ),
    "noise": (
        lambda: generate(toy_llama(), PROMPTS, 4, noise=[(0, 0)]),
        "noise must have a prompt and a seed for each of 4 rows; got 1.",
    ),
    "rows": (
        lambda: generate(toy_llama(), PROMPTS, 4, edits(3)),
        "3 features or strengths, one for each row, do not fit 4 rows: the rows must be a multiple "
        "of them (beams and returned sequences multiply rows).",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_generated_is_refused_in_a_sentence(name):
    call, message = BAD[name]
    with pytest.raises(InterventionError) as error:
        call()
    assert str(error.value) == message
