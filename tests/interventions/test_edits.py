"""Edits by features: identities (known answer D8), positions, rows, and the traps of hooks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saegrid.base.words import Site
from saegrid.interventions.edits import (
    Change,
    Push,
    error_of,
    intervening,
    special_ids,
)
from saegrid.interventions.live import InterventionError, live
from saegrid.models.forward import capture
from saegrid.models.hooks import reading
from saegrid.models.tiles import rows_of
from saegrid.saes.fronts import LAYER_NORM, RMS_NORM
from saegrid.saes.sae import decode, encode
from subjects import random_sae, sae_of
from toys import TOYS, tokens_table, toy_bert, toy_gpt2, toy_llama

D, DEAD = 32, 20
RNG = np.random.default_rng
IDS = torch.from_numpy(RNG(0).integers(3, 60, (4, 9)))
IDS[:, 0] = 1  # BOS
SITES = [Site(0, "R"), Site(1, "A"), Site(0, "M"), Site(1, "R")]


def an_sae(site=SITES[0], k=5, seed=0, **more):
    """A random SAE whose feature DEAD is silent."""
    sae = random_sae(D, 4 * D, k, seed)
    sae.encoder.bias[DEAD] = -1e30
    return live(replace(sae, site=site, **more))


def transcoder(k=None):
    return an_sae(Site(0, "I"), k, writes=Site(0, "M"))


def at(model, site, ids=IDS):
    """Activations of a site, (row, position, channel)."""
    x = {}
    with torch.no_grad(), reading(model, {site: lambda value: x.update(here=value)}):
        model.output(ids)
    return x["here"]


@torch.no_grad()
def logits(model, edits=(), ids=IDS, **more):
    with intervening(model, list(edits), **more):
        return model.output(ids)


def active_feature(model, sae, ids=IDS):
    """A feature that fires on a token that is not special."""
    x = at(model, sae.site, ids)[:, 1:].flatten(0, 1)
    return int(sae.encode(x).feature.bincount().argmax())


# --- D8: the identities -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("k", [5, None])
@pytest.mark.parametrize("site", SITES, ids=str)
def test_nothing_changed_is_equal_to_the_last_bit(site, k, dtype):
    model, sae = toy_llama(dtype=dtype), an_sae(site, k)
    plain, feature = logits(model), active_feature(model, sae)
    z = sae.value(at(model, site).flatten(0, 1), [feature])
    assert (z > 0).any()
    assert torch.equal(plain, logits(model, [(sae, Change("scale", feature, 1.0))]))
    assert torch.equal(plain, logits(model, [(sae, Change("add", feature, 0.0))]))
    assert torch.equal(plain, logits(model, [(sae, Push(np.ones(D), 0.0))]))
    assert torch.equal(plain, logits(model, [(sae, Change("clamp", DEAD, 0.0))]))
    assert torch.equal(plain, logits(model, [(sae, Change("ablate", DEAD))]))
    assert not torch.equal(plain, logits(model, [(sae, Change("ablate", feature))]))


@pytest.mark.parametrize("k", [5, None])
def test_a_clamp_at_its_own_value_is_equal_to_the_last_bit(k):
    """One token a row, each row clamped at the value that its own token has."""
    model, sae, ids = toy_llama(), an_sae(k=k), IDS[:, 1:2]
    feature = int(sae.encode(at(model, sae.site, ids).flatten(0, 1)).feature[0])
    z = sae.own(at(model, sae.site, ids).flatten(0, 1), torch.full((4,), feature))
    edited = logits(model, [(sae, Change("clamp", feature, z.numpy()))], ids)
    assert torch.equal(logits(model, ids=ids), edited)


@pytest.mark.parametrize("k", [5, None])
@pytest.mark.parametrize("site", SITES, ids=str)
def test_the_splice_form_of_nothing_is_equal_up_to_rounding(site, k):
    model, sae = toy_llama(), an_sae(site, k)
    plain = logits(model)
    for change in (None, Change("scale", 3, 1.0)):
        spliced = logits(model, [(sae, change)], form="splice")
        torch.testing.assert_close(spliced, plain, atol=5e-5, rtol=0)
        without = logits(model, [(sae, change)], form="without error")
        assert (without - plain).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_splice_is_one_cast_away_in_short_formats(dtype):
    """SAE arithmetic in float32 and one cast at the end: no bit of x moves."""
    model, sae = toy_llama(dtype=dtype), an_sae()
    spliced = logits(model, [(sae, None)], form="splice")
    torch.testing.assert_close(spliced, logits(model), atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["clamp", "scale", "add", "ablate"])
@pytest.mark.parametrize("k", [5, None])
def test_both_forms_agree(k, kind):
    model, sae = toy_llama(), an_sae(k=k)
    edits = [(sae, Change(kind, active_feature(model, sae), 3.0)), (sae, Change(kind, 7, -2.0))]
    delta, splice = (logits(model, edits, form=form) for form in ("delta", "splice"))
    torch.testing.assert_close(delta, splice, atol=5e-5, rtol=1e-5)
    assert (delta - logits(model)).abs().max() > 0.01


@pytest.mark.parametrize("front", [None, LAYER_NORM, RMS_NORM])
@pytest.mark.parametrize("k", [5, None])
def test_the_clamp_is_that_of_the_reference(k, front):
    """x + (c - z) v by saes.sae in float64, which sets the feature and decodes everything."""
    model, sae = toy_llama(), an_sae(k=k)
    if front:
        sae = an_sae(k=k, encoder=replace(sae.sae.encoder, front=front))
    x, feature = at(model, sae.site)[:, 1:].flatten(0, 1), active_feature(model, sae)
    changed = {}
    edit = intervening(model, [(sae, Change("clamp", feature, 4.0))])
    with torch.no_grad(), edit, reading(model, {sae.site: lambda v: changed.update(x=v)}):
        model.output(IDS)
    z = encode(sae.sae.encoder, x.numpy())
    clamped = z.copy()
    clamped[:, feature] = 4.0
    moved = decode(sae.sae, clamped) - decode(sae.sae, z)
    if front:
        moved = moved * front.numbers(x.double().numpy()).scale_out
    expected = x.numpy() + moved
    np.testing.assert_allclose(changed["x"][:, 1:].flatten(0, 1), expected, atol=2e-6, rtol=1e-5)
    assert torch.equal(changed["x"][:, 0], at(model, sae.site)[:, 0])  # BOS is left alone


def readout(x, w):
    return (x[:, -1] @ w).double()


def test_opposite_clamps_move_a_linear_readout_in_opposite_directions():
    model, sae = toy_llama(dtype=torch.float64), an_sae(Site(1, "R"), k=None)
    w, feature = torch.from_numpy(RNG(2).normal(size=D)), 11
    slope = float(sae.rows([feature])[0].double() @ w)

    def read(value):
        x = {}
        edit = intervening(model, [(sae, Change("clamp", feature, value))])
        with torch.no_grad(), edit, reading(model, {sae.site: lambda v: x.update(x=v)}):
            model.output(IDS)
        return readout(x["x"], w)

    plain = readout(at(model, sae.site), w)
    z = sae.value(at(model, sae.site)[:, -1], [feature])[:, 0].double()
    for c in (50.0, -50.0):
        torch.testing.assert_close(read(c) - plain, (c - z) * slope, rtol=1e-6, atol=1e-6)
    assert ((read(50.0) - plain) * (read(-50.0) - plain) < 0).all()


def test_exactness_in_float64_without_a_norm():
    """x' = x + delta and x_hat + error, followed by linear maps alone: 1e-12.

    transformers' norms compute in float32 whatever the model's dtype, so that no model with one
    can show this.
    """
    x = torch.from_numpy(RNG(1).normal(size=(40, D)))
    w = torch.from_numpy(RNG(3).normal(size=(D, 50)))
    sae = an_sae()
    active = sae.encode(x)
    x_hat = sae.reconstruct(x, active)
    spliced = x_hat + error_of(sae, x, x, active)
    assert (spliced @ w - x @ w).abs().max() < 1e-12


def test_the_error_is_detached():
    """With a gradient of its own the error takes back every change of z."""
    model, sae = toy_llama(), an_sae()
    x = at(model, sae.site).flatten(0, 1)
    active = sae.encode(x)
    g = torch.from_numpy(RNG(5).normal(size=x.shape)).float()

    def gradient(error):
        z = active.z.clone().requires_grad_()
        leaf = active._replace(z=z)
        (g * (sae.reconstruct(x, leaf) + error(leaf))).sum().backward()
        return z.grad

    kept = gradient(lambda leaf: error_of(sae, x, x, leaf))
    lost = gradient(lambda leaf: x - sae.reconstruct(x, leaf))
    torch.testing.assert_close(kept, (g[active.token] * sae.rows(active.feature)).sum(1))
    assert (lost == 0).all() and (kept.abs() > 1e-3).any()


# --- transcoders and other models -----------------------------------------------------------------


@pytest.mark.parametrize("k", [5, None])
def test_a_transcoder_is_changed_where_it_writes(k):
    model, sae = toy_llama(), transcoder(k)
    read, written = at(model, Site(0, "I")), at(model, Site(0, "M"))
    feature = active_feature(model, sae)
    changed = {}
    edit = intervening(model, [(sae, Change("clamp", feature, 4.0))])
    with torch.no_grad(), edit, reading(model, {Site(0, "M"): lambda v: changed.update(x=v)}):
        model.output(IDS)
    z = encode(sae.sae.encoder, read[:, 1:].flatten(0, 1).numpy())[:, feature]
    moved = np.outer(4.0 - z, sae.sae.decoder.rows([feature])[0])
    expected = written[:, 1:].flatten(0, 1).numpy() + moved
    np.testing.assert_allclose(changed["x"][:, 1:].flatten(0, 1), expected, atol=1e-6)
    assert torch.equal(logits(model), logits(model, [(sae, Change("scale", feature, 1.0))]))
    torch.testing.assert_close(
        logits(model), logits(model, [(sae, None)], form="splice"), atol=5e-5, rtol=0
    )


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "gemma3_text", "mixtral", "bert"])
def test_families(kind):
    """A change of one row's token changes this row's logits from it on, and nothing else."""
    model, sae = TOYS[kind](), an_sae(Site(0, "R"))
    mask = torch.zeros(4, 9, dtype=torch.bool)
    mask[2, 5] = True
    edited = logits(model, [(sae, Change("clamp", 3, 50.0))], positions=mask)
    moved = (edited - logits(model)).abs().amax(-1) > 1e-4
    before = torch.zeros(4, 9, dtype=torch.bool)
    before[2, 5:] = True
    if model.family.causal:
        assert torch.equal(moved, before)
    else:
        assert moved[2].any() and not moved[[0, 1, 3]].any()


def test_two_saes_at_two_sites():
    model, low, high = toy_llama(), an_sae(Site(0, "R")), an_sae(Site(1, "A"), None, 1)
    edits = [(high, Change("add", 4, 3.0)), (low, Change("clamp", 3, 2.0))]
    both = logits(model, edits)
    with intervening(model, edits[1:]):
        nested = logits(model, edits[:1])
    assert torch.equal(both, nested)
    assert not torch.equal(both, logits(model, edits[:1]))


# --- rows and positions ---------------------------------------------------------------------------


@pytest.mark.parametrize("k", [5, None])
@pytest.mark.parametrize("kind", ["clamp", "scale", "add"])
def test_another_feature_and_strength_in_each_row(k, kind):
    model, sae = toy_llama(), an_sae(k=k)
    first = active_feature(model, sae)
    features, values = [first, 7, first, 50], [4.0, -3.0, 0.5, 9.0]
    batch = logits(model, [(sae, Change(kind, features, values))])
    for row, (feature, value) in enumerate(zip(features, values, strict=True)):
        alone = logits(model, [(sae, Change(kind, feature, value))], IDS[row : row + 1])
        torch.testing.assert_close(batch[row], alone[0], atol=2e-5, rtol=1e-5)


def test_rows_that_are_a_multiple_of_the_features_are_runs_of_them():
    """Beams repeat each row in place: rows 0 and 1 have the first feature."""
    model, sae = toy_llama(), an_sae()
    two = logits(model, [(sae, Change("clamp", [3, 9], 5.0))])
    four = logits(model, [(sae, Change("clamp", [3, 3, 9, 9], 5.0))])
    assert torch.equal(two, four)


def test_rows_that_do_not_fit_the_features_are_refused():
    model, sae = toy_llama(), an_sae()
    with pytest.raises(InterventionError) as error:
        logits(model, [(sae, Change("clamp", [3, 9, 5], 5.0))])
    assert str(error.value) == (
        "3 features or strengths, one for each row, do not fit 4 rows: the rows must be a multiple "
        "of them (beams and returned sequences multiply rows)."
    )
    with pytest.raises(InterventionError, match="as many as there are arms; got 2 and 3 of them"):
        logits(model, [(sae, Change("clamp", [3, 9, 5], [5.0, 1.0]))])


def test_special_tokens_and_padding_are_left_alone():
    model, sae = toy_llama(), an_sae()
    ids = IDS.clone()
    ids[1, 4] = 2  # EOS
    changed = {}

    def run(**more):
        edit = intervening(model, [(sae, Change("add", 3, 5.0))], **more)
        with torch.no_grad(), edit, reading(model, {sae.site: lambda v: changed.update(x=v)}):
            mask = torch.ones_like(ids)
            mask[3, 6:] = 0
            model.model(input_ids=ids, attention_mask=mask)
        return (changed["x"] != plain).any(-1)

    mask = torch.ones_like(ids)
    mask[3, 6:] = 0
    with torch.no_grad(), reading(model, {sae.site: lambda v: changed.update(x=v)}):
        model.model(input_ids=ids, attention_mask=mask)
    plain = changed["x"]
    expected = torch.ones(4, 9, dtype=torch.bool)
    expected[3, 6:] = False
    assert torch.equal(run(special=()), expected)
    expected[:, 0] = expected[1, 4] = False
    assert torch.equal(run(), expected)
    assert special_ids(model) == {1, 2}


def test_positions_are_counted_by_the_cache():
    """A prompt of 5 tokens, then one of length 1 and one of 3: a call's length says nothing."""
    model, sae = toy_llama(), an_sae()
    whole, changed = torch.cat([IDS[:1], IDS[1:2, 1:]], 1), []

    def run(positions):
        changed.clear()
        edit = intervening(model, [(sae, Change("add", 3, 5.0))], positions=positions)
        with torch.no_grad(), edit, reading(model, {sae.site: changed.append}):
            cache = None
            for part in (whole[:, :5], whole[:, 5:6], whole[:, 6:9]):
                cache = model.model(input_ids=part, past_key_values=cache, use_cache=True)[1]
        return torch.cat(changed, 1)

    plain = run(torch.zeros(1, 9, dtype=torch.bool))
    positions = {"all": range(1, 9), "prompt": range(1, 5), "generated": range(5, 9)}
    for name, expected in positions.items():
        x = run(name)
        direct = torch.isclose(x - plain, 5 * sae.rows([3])[0], atol=1e-5).all(-1)[0]
        assert direct.nonzero()[:, 0].tolist() == list(expected), name
    mask = torch.zeros(1, 7, dtype=torch.bool)
    mask[0, [2, 6]] = True
    direct = torch.isclose(run(mask) - plain, 5 * sae.rows([3])[0], atol=1e-5).all(-1)[0]
    assert direct.nonzero()[:, 0].tolist() == [2, 6]


def test_a_prompt_of_one_token_is_a_prompt():
    model, sae = toy_llama(), an_sae()
    change = [(sae, Change("clamp", 3, 9.0))]
    one = IDS[:, 1:2]
    assert torch.equal(logits(model, change, one, positions="prompt"), logits(model, change, one))
    assert torch.equal(logits(model, change, one, positions="generated"), logits(model, ids=one))


# --- hooks ------------------------------------------------------------------------------------


def hooks_of(model):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in model.model.modules()
    )


def test_hooks_before_equal_hooks_after():
    model, saes = toy_llama(), [an_sae(), transcoder(), an_sae(Site(1, "A"))]
    with torch.no_grad():
        # Leaves hooks of transformers' own for good, so that the count is not 0.
        model.model(input_ids=IDS, output_hidden_states=True)
    before = hooks_of(model)
    for _ in range(100):
        with intervening(model, [(sae, Change("clamp", 3, 5.0)) for sae in saes]):
            assert hooks_of(model) > before
        assert hooks_of(model) == before
    with pytest.raises(InterventionError):
        logits(model, [(saes[0], Change("clamp", [1, 2, 3], 1.0))])
    assert hooks_of(model) == before


def test_readers_keep_their_tensors():
    """A reader hooked before an edit holds the unedited x, one within it the edited one."""
    model, sae = toy_llama(), an_sae()
    before, within = {}, {}
    plain = at(model, sae.site)
    with reading(model, {sae.site: lambda v: before.update(x=v)}):
        edit = intervening(model, [(sae, Change("clamp", 3, 9.0))])
        with torch.no_grad(), edit, reading(model, {sae.site: lambda v: within.update(x=v)}):
            model.output(IDS)
    assert torch.equal(before["x"], plain)
    assert (within["x"] - plain).abs().max() > 1


def test_hidden_states_of_the_library_are_edited_only_if_the_edit_came_first():
    """output_hidden_states hooks modules at its first use; what it shows depends on that."""
    sae, shown = an_sae(Site(0, "R")), []
    for first in (False, True):
        model = toy_llama()
        plain = at(model, sae.site)
        with torch.no_grad():
            if first:
                model.model(input_ids=IDS, output_hidden_states=True)
            with intervening(model, [(sae, Change("clamp", 3, 9.0))]):
                states = model.model(input_ids=IDS, output_hidden_states=True).hidden_states
        shown.append(bool((states[1] - plain).abs().max() > 1))
    assert shown == [True, False]


def test_a_pass_does_not_depend_on_one_before_it():
    model, sae = toy_llama(), an_sae()
    edits = [(sae, Change("clamp", [3, 9], 5.0))]
    with intervening(model, edits), torch.no_grad():
        model.output(IDS[:2, :4])
        second = model.output(IDS)
    assert torch.equal(second, logits(model, edits))


def test_a_capture_sees_what_an_edit_did():
    """The room `models` runs whole corpora through an edit as it runs them without one."""
    model, sae = toy_llama(), an_sae(Site(0, "R"))
    rows, wanted = rows_of(tokens_table(IDS.tolist())[0]), np.arange(36)
    plain = capture(model, rows, wanted, [Site(0, "R")])[Site(0, "R")]
    with intervening(model, [(sae, Change("add", 3, 5.0))]):
        edited = capture(model, rows, wanted, [Site(0, "R")])[Site(0, "R")]
    moved = (edited != plain).any(1)
    assert moved.reshape(4, 9)[:, 1:].all() and not moved.reshape(4, 9)[:, 0].any()


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda: Change("clamp", 3, float("nan")), "A strength must be a finite number, or one for "
         "each row; got nan."),
        (lambda: Change("clamp", 3, [1.0, float("inf")]), "A strength must be a finite number, or "
         "one for each row; got [1.0, inf]."),
        (lambda: Change("clamp", 3, "high"), "A strength must be a finite number, or one for each "
         "row; got 'high'."),
        (lambda: Change("clamp", 3.5, 1.0), "A feature must be a whole number; got [3.5]."),
        (lambda: Change("clam", 3, 1.0), "The kind of a change must be one of clamp, scale, add, "
         "ablate; got 'clam'."),
    ],
)  # fmt: skip
def test_a_change_that_is_none_is_refused(change, message):
    with pytest.raises(InterventionError) as error:
        change()
    assert str(error.value) == message


def test_settings_that_are_none_are_refused():
    model, sae = toy_gpt2(), an_sae()
    for settings, message in (
        ({"positions": "last"}, "positions must be one of all, prompt, generated, or a mask"),
        ({"form": "deltas"}, "form must be one of delta, splice, without error; got 'deltas'"),
        ({"positions": torch.ones(3, 9)}, "A mask of positions has 3 rows; the batch has 4"),
    ):
        with pytest.raises(InterventionError, match=message):
            logits(model, [(sae, Change("clamp", 3, 1.0))], **settings)
    with pytest.raises(InterventionError, match="has features 0 to 127; got 128"):
        logits(model, [(sae, Change("clamp", 128, 1.0))])


def test_an_encoder_can_be_edited_too():
    model, sae = toy_bert(), an_sae(Site(0, "R"))
    plain = logits(model)
    assert torch.equal(plain, logits(model, [(sae, Change("scale", 3, 1.0))]))
    assert not torch.equal(plain, logits(model, [(sae, Change("clamp", 3, 5.0))]))


def test_a_dead_sae_of_zeros_leaves_the_model_alone():
    zeros = sae_of(np.zeros((8, D)), np.zeros(8), np.zeros((8, D)), np.zeros(D))
    sae = live(replace(zeros, site=Site(0, "R")))
    assert torch.equal(logits(toy_llama()), logits(toy_llama(), [(sae, Change("clamp", 2, 7.0))]))
