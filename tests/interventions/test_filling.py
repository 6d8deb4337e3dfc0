"""Words filled in while features are clamped, on a linear readout, where each change is known."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from saegrid.base.words import Site
from saegrid.codes.sparse import from_pairs
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.texts import texts
from saegrid.interventions import filled, filling_study, raising
from saegrid.interventions.blanks import Blanks, Grades, blanks, firsts, token_grades
from saegrid.interventions.filling import MEASURES, fill_in
from saegrid.interventions.live import InterventionError, live
from saegrid.interventions.raising import CONTROL, FEATURE, Arm, Chosen
from saegrid.models.tiles import TILE_TOKENS
from subjects import random_sae, sae_of
from toys import save, toy_bert, toy_llama

RNG = np.random.default_rng
D, SITE = 32, Site(0, "R")
WORD, OTHER, GRADED = 7, 0, 1
"""Features: one writes the token WORD, one writes nothing, one writes each token by its grade."""
GRADE = RNG(5).uniform(0, 3, D)
KNOWN = Grades(np.arange(4, D), GRADE[4:])


@pytest.fixture(scope="module")
def linear():
    """A model whose logits are the last residual stream: its blocks write nothing."""
    model = toy_llama(layers=1, d=D, vocab=D)
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.zero_()
        model.model.lm_head.weight.copy_(torch.eye(D))
    model.body.norm = torch.nn.Identity()
    return model


def silent_sae():
    """An SAE that never fires: a clamp at c adds c times the decoder row."""
    rows = np.zeros((8, D))
    rows[WORD, WORD] = 1
    rows[GRADED] = GRADE
    return live(sae_of(np.zeros((8, D)), np.full(8, -1.0), rows, np.zeros(D)), site=SITE)


def some_blanks(n=40, seed=0, each=3):
    """Blanks of originals with graded edits."""
    rng = RNG(seed)
    contexts = [np.append(1, rng.integers(3, D, 2 + i % 4)) for i in range(n)]
    edit = rng.integers(4, D, n * each)
    return Blanks(
        contexts,
        np.arange(n * each),
        np.repeat(np.arange(n), each),
        np.repeat(np.arange(n), each),
        edit,
        rng.integers(4, D, n * each),
        GRADE[edit],
    )


def arm(feature, value=2.0, role=FEATURE, of=None, words=(WORD,), sign=1, dose=1.0):
    chosen = of or Chosen("k2", "L0R-8x", feature, sign)
    return Arm(chosen, role, feature, dose, value, np.array(words, np.int64))


def filled_in(model, of, *arms, sae=None, **more):
    return fill_in(model, of, KNOWN, arms, lambda cell: sae or silent_sae(), say=str, **more)


def unchanged(model, of):
    with torch.no_grad():
        rows = [model.output(torch.from_numpy(one[None]))[0, -1] for one in of.contexts]
    return torch.stack(rows).double().softmax(1).numpy()


# --- known answers ----------------------------------------------------------------------------


def test_the_mass_of_a_word_rises_by_the_known_amount_and_not_by_the_control(linear):
    of, c = some_blanks(), 2.0
    changes = filled_in(linear, of, arm(WORD, c), arm(OTHER, c))
    p = unchanged(linear, of)[:, WORD]
    more = p * np.exp(c) / (1 + p * np.expm1(c)) - p
    np.testing.assert_allclose(changes.of_blanks["words"][:, 0], more, rtol=1e-5)
    # every other token loses the same share
    loss = -np.log1p(p * np.expm1(c))[of.blank]
    expected = np.where(of.edit == WORD, c, 0) + loss
    np.testing.assert_allclose(changes.of_edits["edit"][:, 0], expected, atol=1e-5)
    difference = c * ((of.edit == WORD) * 1.0 - (of.replaced == WORD))
    np.testing.assert_allclose(changes.of_edits["edit_over_replaced"][:, 0], difference, atol=1e-5)
    for values in (*changes.of_edits.values(), *changes.of_blanks.values()):
        np.testing.assert_allclose(values[:, 1], 0, atol=1e-12)


def test_surprisal_and_divergence_are_those_of_the_distributions(linear):
    of, c = some_blanks(5), 1.5
    changes = filled_in(linear, of, arm(GRADED, c))
    q = unchanged(linear, of)
    p = q * np.exp(c * GRADE)
    p /= p.sum(1, keepdims=True)
    extra = (q * np.log(q)).sum(1) - (p * np.log(q)).sum(1)
    np.testing.assert_allclose(changes.of_blanks["extra_surprisal"][:, 0], extra, atol=1e-5)
    kl = (p * np.log(p / q)).sum(1)
    np.testing.assert_allclose(changes.of_blanks["kl"][:, 0], kl, atol=1e-5)
    known, grade = KNOWN
    means = [(x[:, known] * grade).sum(1) / x[:, known].sum(1) for x in (p, q)]
    np.testing.assert_allclose(changes.of_blanks["grade"][:, 0], means[0] - means[1], atol=1e-6)
    np.testing.assert_allclose(changes.unchanged["grade"], means[1][of.blank], atol=1e-6)
    entropy = -(q * np.log(q)).sum(1)[of.blank]
    np.testing.assert_allclose(changes.unchanged["entropy"], entropy, atol=1e-5)
    edit = np.log(q)[of.blank, of.edit]
    np.testing.assert_allclose(changes.unchanged["edit"], edit, atol=1e-5)
    covered = p[:, known].sum(1) - q[:, known].sum(1)
    np.testing.assert_allclose(changes.of_blanks["covered"][:, 0], covered, atol=1e-6)


def test_grades_of_tokens_by_hand():
    grades = token_grades(np.array([9, 4, 9, 4, 4]), np.array([3.0, 1.0, 1.0, np.nan, 0.0]))
    assert grades.token.tolist() == [4, 9]
    mean = 5 / 4
    np.testing.assert_allclose(grades.grade, [(1 + 5 * mean) / 7, (4 + 5 * mean) / 7])


def test_a_feature_that_prefers_funny_edits_has_its_slope(linear):
    of, c = some_blanks(), 2.0
    arms = [arm(GRADED, c), arm(OTHER, c)]
    drawn = filled.draws_of(of, filled_in(linear, of, *arms), 200, 0)
    np.testing.assert_allclose(drawn["slope"][0], c, atol=1e-5)
    np.testing.assert_allclose(drawn["slope"][1], 0, atol=1e-9)
    shuffled = of._replace(grade=RNG(1).permutation(of.grade))
    slope = filled.draws_of(shuffled, filled_in(linear, shuffled, *arms), 200, 0)["slope"]
    (low, _), (high, _) = filled.percentiles(slope)
    assert low < 0 < high and abs(slope[0, 0]) < c / 2


def test_the_slope_is_that_of_a_regression_within_originals():
    of = some_blanks(6)._replace(grade=RNG(2).uniform(0, 3, 18))
    of.grade[4] = np.nan
    change = RNG(3).normal(size=(18, 1))
    products, squares = filled.within(of, change)
    kept = ~np.isnan(of.grade)
    design = np.column_stack([of.grade, of.original[:, None] == np.arange(6)])[kept]
    expected = np.linalg.lstsq(design, change[kept], rcond=None)[0][0, 0]
    assert products.sum() / squares.sum() == pytest.approx(expected)


# --- bytes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [None, 5])
def test_equal_bytes_with_whatever_runs_beside(k):
    model, sae = toy_llama(layers=2, d=D, vocab=D), live(random_sae(D, 64, k), site=SITE)
    of = some_blanks(30)
    many = [arm(feature, 3.0, words=(4, 9)) for feature in range(11)]
    together = filled_in(model, of, *many, sae=sae)
    alone = filled_in(model, of, many[6], sae=sae)
    first = of.blank < 7
    few = Blanks(of.contexts[:7], *(column[first] for column in of[1:]))
    short = filled_in(model, few, *many[5:8], sae=sae)
    for kind in ("of_edits", "of_blanks"):
        for name, values in getattr(together, kind).items():
            assert values[:, 6].tobytes() == getattr(alone, kind)[name][:, 0].tobytes(), name
            beside = getattr(short, kind)[name]
            assert values[: len(beside), 5:8].tobytes() == beside.tobytes(), name
    assert TILE_TOKENS["cpu"] // 6 < 30 * 11, "several tiles"


# --- features, controls, words ----------------------------------------------------------------


def discoveries(*rows):
    names = ("contrast", "cell", "feature", "sign", "frozen", "confirmed", "p_confirm")
    return pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))


FOUND = discoveries(
    ("k4", "a", 3, 1, "none", True, 0.02),
    ("k2", "a", 3, 1, "none", True, 0.01),
    ("k2", "b", 1, -1, "none", True, 0.01),
    ("k3", "frozen", 0, 1, "decoder", True, 0.001),
    ("k1", "a", 5, 1, "none", True, 0.001),
    ("k3g", "a", 6, 1, "none", False, 0.4),
    ("label:funny", "pages", 6, 1, "none", True, 0.001),
)


def test_confirmed_features_of_labels_once_each():
    chosen = raising.confirmed(FOUND, ["a", "b", "frozen"], 10)
    assert chosen == [Chosen("k2", "a", 3, 1), Chosen("k2", "b", 1, -1)]
    assert raising.confirmed(FOUND, ["a", "b"], 1) == chosen[:1]
    assert raising.barred(FOUND, "a") == {3, 6}, "found by a contrast of edits alone: a control"


def test_the_control_is_the_nearest_in_density_and_maximum():
    feature = np.repeat(np.arange(5), [4, 4, 8, 3, 0])
    token = np.concatenate([np.arange(n) for n in (4, 4, 8, 3)])
    value = np.where(feature == 1, 3.0, 1.0)
    value[feature == 0] = [9.0, 1.0, 1.0, 1.0]
    codes = from_pairs(feature, token, value, np.arange(8), 5)
    sizes = raising.sizes_of(codes, np.arange(8) == 0)
    assert sizes.n_active.tolist() == [3, 3, 7, 2, 0]
    assert sizes.maximum.tolist() == [1, 3, 1, 1, 0], "tokens that are special do not count"
    # distances from 0: log 3 of 1, log 7/3 of 2, log 3/2 of 3
    assert raising.control_of(sizes, 0, []) == 3
    assert raising.control_of(sizes, 0, [3]) == 2
    assert raising.control_of(sizes, 0, [1, 2, 3]) is None
    assert raising.control_of(sizes, 4, []) is None


def corpus():
    """Two originals: one with two edits at one place and one edit elsewhere, one cut short."""
    rows = [[1, 5, 6, 7], [1, 5, 6, 8], [1, 5, 9, 7], [1, 4, 6], [1, 5, 6, 4], [1, 3, 6]]
    n, sides = len(rows), ["edited"] * 4 + ["original"] * 2
    row = np.repeat(np.arange(n), [len(one) for one in rows])
    position = np.concatenate([np.arange(len(one)) for one in rows])
    item = np.array([0, 1, 2, 3, -1, 3])[row]
    tokens = pa.table(
        {
            "row": row,
            "position": position,
            "token_id": np.concatenate(rows),
            "side": np.array(sides)[row],
            "item": item,
            "special": position == 0,
        }
    )
    lines = []
    for number, at in enumerate((3, 3, 2, 1)):
        stop = 4 if number < 3 else 3
        for side, of in (("edited", number), ("original", 4 if number < 3 else 5)):
            lines.append((number, side, of, 1, stop, at, at + 1))
    names = ("item", "side", "row", "start", "stop", "edit_start", "edit_stop")
    spans = pa.table(dict(zip(names, zip(*lines, strict=True), strict=True)))
    items = pa.table(
        {
            "item": np.arange(4),
            "group": pa.array([0, 0, 0, 1], pa.int32()),
            "split": ["test"] * 4,
            "grade": [1.0, 2.0, 0.5, 3.0],
        }
    )
    return texts(items, tokens, spans), tokens, spans


def test_blanks_are_headlines_up_to_the_edit():
    one, tokens, spans = corpus()
    first = firsts(one, tokens, spans)
    assert first.edit.tolist() == [7, 8, 9, -1], (
        "nothing but a special token stands before the last"
    )
    assert first.replaced.tolist() == [4, 4, 6, -1]
    part = {"corpus": "x", "split": "test"}
    of = blanks(one, first, part, one.labels["grade"], 5, 0)
    assert [context.tolist() for context in of.contexts] == [[1, 5, 6], [1, 5]]
    assert of.blank.tolist() == [0, 0, 1] and of.original.tolist() == [0, 0, 0]
    assert of.grade.tolist() == [1.0, 2.0, 0.5] and of.n_originals == 1
    with pytest.raises(Unusable, match=r"analyses\.filling\.part: no original"):
        blanks(one, first, {**part, "split": "dev"}, one.labels["grade"], 5, 0)


def test_words_are_those_of_the_texts_of_the_search_in_which_a_feature_is_strongest(monkeypatch):
    one, tokens, spans = corpus()
    first = firsts(one, tokens, spans)
    at = first.at[:3]
    codes = from_pairs(np.zeros(3, int), at, np.array([1.0, 3.0, 2.0]), at, 2)
    every = np.ones(4, bool)
    words = raising.words_of(codes, [0, 1], one, every, first.edit)
    assert [one.tolist() for one in words] == [[7, 8, 9], []]
    monkeypatch.setattr(raising, "STRONGEST", 2)
    assert raising.words_of(codes, [0], one, every, first.edit)[0].tolist() == [8, 9]
    used = np.array([True, False, True, True])
    assert raising.words_of(codes, [0], one, used, first.edit)[0].tolist() == [7, 9]


# --- tables and verdict -----------------------------------------------------------------------


def pair(feature, dose, c, sign=1):
    chosen = Chosen("k2", "L0R-8x", feature, sign)
    return [
        arm(feature, dose * c, of=chosen, dose=dose),
        arm(OTHER, dose * c, CONTROL, chosen, (), dose=dose),
    ]


def outcome(model, arms, draws=100):
    of = some_blanks()
    changes = filled_in(model, of, *arms, shown=[0, 3])
    drawn = filled.draws_of(of, changes, draws, 0)
    settings = {"part": "test", "draws": draws, "seed": 0}
    facts = filled.facts(arms, drawn, of, [], settings, changes)
    json.dumps(facts, allow_nan=False)
    return filled.table(arms, drawn, of.n_originals), facts, changes, of


def test_a_feature_that_writes_by_grade_is_funnier_than_its_control(linear):
    arms = [*pair(GRADED, 0.5, 1.0), *pair(GRADED, 1.0, 1.0)]
    table, facts, changes, of = outcome(linear, arms)
    assert facts["verdict"] == {"dose": 1.0, "grade": "funnier", "slope": "funnier"}
    half = facts["doses"][0]
    assert half["n"] == 1 and half["measures"]["slope"]["difference"] == pytest.approx(0.5, 1e-4)
    assert half["measures"]["words"]["n"] == 0, "the control has no words"
    row = table.to_pylist()[1]
    assert (row["role"], row["control_of"], row["words"]) == (CONTROL, GRADED, None)
    for name in MEASURES:
        value = table[name].to_numpy(zero_copy_only=False)[0]
        assert table[f"{name}_low"][0].as_py() <= value <= table[f"{name}_high"][0].as_py()
    strings = [f"w{i}" for i in range(D)]
    listed = filled.texts_table(arms, of, changes, [0, 3], strings, {1}).to_pylist()
    assert len(listed) == 2 * len(arms) and listed[0]["context"] == "".join(
        f"w{i}" for i in of.contexts[0][1:]
    )
    p = unchanged(linear, of)[0]
    assert listed[0]["before"] == [f"w{i}" for i in np.argsort(-p)[:5]]
    c = arms[0].value
    assert listed[0]["after"][0] == f"w{np.argmax(p * np.exp(c * GRADE))}"


def test_the_largest_dose_at_which_little_surprisal_is_added_is_judged():
    def dose(number, extra, low, high):
        measures = {name: {"low": low, "high": high} for name in filled.TURNED}
        return {"dose": number, "measures": {**measures, "extra_surprisal": {"feature": extra}}}

    doses = [dose(0, 0, 1, 2), dose(0.5, 0.2, 1, 2), dose(1, 1.0, -1, 2), dose(2, 1.01, -2, -1)]
    assert filled.verdict(doses) == {"dose": 1, "grade": "nothing", "slope": "nothing"}
    assert filled.verdict(doses[:2])["grade"] == "funnier"
    assert filled.verdict([dose(1, 0.5, -2, -1)])["grade"] == "less funny"
    assert filled.verdict(doses[3:]) == {"dose": None, "grade": "not judged", "slope": "not judged"}


def test_features_that_lean_to_low_labels_count_the_other_way(linear):
    facts = outcome(linear, pair(GRADED, 0.5, 1.0, sign=-1))[1]
    assert facts["verdict"]["grade"] == facts["verdict"]["slope"] == "less funny"
    ablated = arm(GRADED, 0.5, sign=-1, dose=0.0)
    control = arm(OTHER, 0.5, CONTROL, ablated.of, dose=0.0)
    assert outcome(linear, [ablated, control])[1]["verdict"]["dose"] is None, "0 is not judged"


def test_nothing_is_nothing(linear):
    one = Chosen("k2", "L0R-8x", OTHER, 1)
    facts = outcome(linear, [arm(OTHER, of=one), arm(2, role=CONTROL, of=one)])[1]
    assert facts["verdict"] == {"dose": 1.0, "grade": "nothing", "slope": "nothing"}
    none = filled.facts([], {}, None, [], {"part": "test", "draws": 20, "seed": 0})
    assert none["verdict"]["grade"] == "not judged" and none["n_features"] == 0


# --- bad inputs -------------------------------------------------------------------------------


def test_bad_inputs_are_one_sentence_each(linear):
    of = some_blanks(3)
    with pytest.raises(InterventionError, match=r"does not predict the next token\. Take a causal"):
        filled_in(toy_bert(), of, arm(WORD))
    with pytest.raises(InterventionError, match=r"does not know \(0 to 31\): use the model's own"):
        filled_in(linear, of._replace(edit=of.edit + D), arm(WORD))
    long = of._replace(contexts=[*of.contexts[:2], np.full(65, 3)])
    with pytest.raises(InterventionError, match="has 65 tokens before its edit; toy llama takes"):
        filled_in(linear, long, arm(WORD))
    with pytest.raises(InterventionError, match="NaN or infinity in the logits"):
        filled_in(linear, of, arm(GRADED, 3e38))


def test_a_model_that_does_not_fit_is_refused(tmp_path):
    folder = save(toy_llama(), tmp_path / "model")
    with pytest.raises(InterventionError, match=r"only by a whole model\. Raise memory\.capture"):
        filling_study._loaded({"path": str(folder), "dtype": "float32"}, 0)


def test_parts_that_were_not_searched():
    plan = {"parts": {key: {} for key in ("discovery", "confirmation", "test", "funlines")}}
    assert (
        filling_study.part_of(plan, None) == "test"
        and filling_study.part_of(plan, "funlines") == "funlines"
    )
    assert (
        filling_study.part_of({"parts": {"discovery": {}, "confirmation": {}}}, None)
        == "confirmation"
    )
    with pytest.raises(Unusable, match=r"not searched \(confirmation, test, funlines\); got 'disc"):
        filling_study.part_of(plan, "discovery")
