"""Dose-response: arms at equal shifts, measures by hand, sound doses and the reported number."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from saegrid.base.words import Site
from saegrid.interventions import dose, dose_table, headline
from saegrid.interventions.arms import Arm, Place, Settings, arms_of, begun, place_of
from saegrid.interventions.dose import measure, on_neutral, rep3, shown, surprisals
from saegrid.interventions.edits import Change, Push
from saegrid.interventions.live import live
from saegrid.interventions.prompts import Own
from subjects import random_sae
from toys import random_rows, toy_llama

D = 32
SETTINGS = Settings((1.0, 3.0, -1.0), 2, 6, 1.0, "a story about {words}")


def word(token):
    """A word of letters."""
    return "t" + chr(97 + token // 26) + chr(97 + token % 26)


OWN = {
    f: Own((word(f + 10), word(f + 30)), (f + 10, f + 30), 1.0, 50 + f, 2.0 + f) for f in range(6)
}
PROMPTS = [[1, *row] for row in random_rows([4] * 3)]
NEUTRAL = [[1, *row] for row in random_rows([7] * 4, seed=5)]


def an_sae(k=5):
    return live(replace(random_sae(D, 4 * D, k), site=Site(0, "R")))


def decode(ids):
    return "".join(f"{word(i)} " for i in ids if i > 2)


def every_arm(sae, features=(0, 3)):
    place = Place(4.0, {0: np.full(D, D**-0.5)})
    return arms_of(OWN, list(features), {0: 1, 3: 2}, sae, place, SETTINGS, lambda text: [5, 6, 7])


# --- arms ---------------------------------------------------------------------------------------


def test_arms_move_the_site_equally_far():
    sae = an_sae()
    arms = every_arm(sae)
    norms = sae.rows([0, 1, 2, 3]).double().norm(dim=1).numpy()
    assert [(a.feature, a.name) for a in arms if a.dose == 1.0] == [
        *[(0, "feature"), (0, "control"), (0, "means"), (3, "feature"), (3, "control")]
    ]
    for arm in arms:
        if arm.name == "prompt":
            assert arm.change is None and arm.prefix == (5, 6, 7)
            continue
        shift = arm.dose * OWN[arm.feature].largest * norms[arm.feature]
        assert arm.norm_share == pytest.approx(shift / 4.0)
        assert arm.value == pytest.approx(arm.dose * OWN[arm.feature].largest)
        if isinstance(arm.change, Push):
            assert arm.change.value == pytest.approx(shift)
        else:
            assert arm.change.value * norms[arm.change.feature] == pytest.approx(shift)
    assert {a.change.feature for a in arms if a.name == "control"} == {1, 2}


def test_difference_of_means_by_hand():
    x = np.array([[1.0, 0], [3, 4], [5, 2], [0, 0]])
    ids = np.array([9, 10, 30, 10, 9])
    place = place_of(x, np.array([0, 1, 2, 4]), ids, {0: OWN[0]}, [0])
    expected = np.array([4, 3]) - np.array([0.5, 0])
    np.testing.assert_allclose(place.means[0], expected / np.linalg.norm(expected))
    assert place.norm == pytest.approx((1 + 5 + np.sqrt(29) + 0) / 4)
    assert place_of(x, np.array([0, 4]), ids, {0: OWN[0]}, [0]).means == {}


def test_a_prefix_stands_behind_bos():
    arm = Arm(0, "prompt", prefix=(5, 6))
    assert begun(arm, [1, 9, 8], {1, 2}) == [1, 5, 6, 9, 8]
    assert begun(arm, [9, 8], {1, 2}) == [5, 6, 9, 8]


# --- measures -----------------------------------------------------------------------------------


def test_repeated_runs_of_three():
    assert rep3([1, 2, 3, 1, 2, 3]) == 1 / 4
    assert rep3([7] * 10) == 7 / 8
    assert rep3([1, 2]) == 0.0


@pytest.mark.parametrize("numbers", [1, 1 << 24])
def test_surprisal_of_new_tokens_by_hand(monkeypatch, numbers):
    monkeypatch.setattr(dose, "NUMBERS", numbers)
    model, rows = toy_llama(), [([1, 5, 6], [7, 8]), ([1], [9, 4, 3, 5]), ([1, 4], [])]
    result = surprisals(model, rows)
    for value, (prompt, new) in zip(result[:2], rows[:2], strict=True):
        log_p = model.output(torch.tensor([[*prompt, *new]]))[0].double().log_softmax(-1)
        picked = [log_p[len(prompt) - 1 + i, t] for i, t in enumerate(new)]
        assert value == pytest.approx(-float(sum(picked)) / len(new), abs=1e-5)
    assert np.isnan(result[2])


@pytest.mark.parametrize("numbers", [1, 1 << 24])
def test_effects_on_neutral_texts_by_hand(monkeypatch, numbers):
    """log of summed probability of the targets, and KL, over all positions but BOS."""
    from saegrid.interventions.edits import intervening

    monkeypatch.setattr(dose, "NUMBERS", numbers)
    model, sae = toy_llama(), an_sae()
    arms = every_arm(sae)
    result = on_neutral(model, sae, arms, NEUTRAL, OWN)
    assert set(result) == set(arms)
    ids = torch.tensor(NEUTRAL)
    plain = model.output(ids)[:, 1:].double().log_softmax(-1)
    for arm in arms[:3]:
        with intervening(model, [(sae, arm.change)]), torch.no_grad():
            steered = model.output(ids)[:, 1:].double().log_softmax(-1)
        targets = list(OWN[arm.feature].targets)
        moved = steered[..., targets].logsumexp(-1) - plain[..., targets].logsumexp(-1)
        assert result[arm].delta_target == pytest.approx(float(moved.mean()), abs=1e-5)
        kl = (plain.exp() * (plain - steered)).sum(-1).mean()
        assert result[arm].kl == pytest.approx(float(kl), abs=1e-5)


def test_a_clamp_at_nothing_has_no_effect_on_neutral_texts():
    model, sae = toy_llama(), an_sae()
    arm = Arm(0, "feature", 0.0, change=Change("add", 0, 0.0))
    effects = on_neutral(model, sae, [arm], NEUTRAL, OWN)[arm]
    assert effects.delta_target == 0.0 and effects.kl == 0.0


def test_where_a_text_parts_and_its_hits():
    text = shown(decode, [1, 20, 21], [10, 11, 12], [10, 11, 40], [word(12), word(10)])
    assert (text.before, text.text) == ("tau tav ", "tak tal tam ")
    assert text.text[: text.parting] == "tak tal " and text.n_hits == 2
    assert shown(decode, [1, 20], [10, 11], [10, 11], []).parting == len("tak tal ")


def test_a_part_is_measured():
    model, sae = toy_llama(), an_sae()
    arms = every_arm(sae)
    table, texts = measure(model, sae, "report", arms, PROMPTS, NEUTRAL, OWN, SETTINGS, decode)
    assert table.schema == dose.SCHEMA and texts.schema == dose.TEXTS
    assert set(dose_table.DEFINITIONS) <= {*dose.SCHEMA.names, *dose.TEXTS.names}
    rows, lines = table.to_pylist(), texts.to_pylist()
    assert len(rows) == len(arms) and len(lines) == 6 * (len(arms) + 1)
    by_arm = {}
    for line in lines:
        by_arm.setdefault((line["feature"], line["arm"], line["dose"]), []).append(line)
    for row in rows:
        own = by_arm[row["feature"], row["arm"], row["dose"]]
        assert row["n_texts"] == len(own) == 6
        assert row["n_with"] == sum(line["n_hits"] > 0 for line in own)
        words = set(OWN[row["feature"]].words)
        plain = [set(line["text"].split()) for line in by_arm[-1, "none", 0.0]]
        assert row["inclusion_plain"] == np.mean([bool(words & said) for said in plain])
        assert row["surprisal"] == pytest.approx(np.nanmean([line["surprisal"] for line in own]))
        assert row["low"] <= row["inclusion"] <= row["high"]
        of_control = [
            r["delta_target"]
            for r in rows
            if (r["feature"], r["arm"], r["dose"]) == (row["feature"], "control", row["dose"])
        ]
        if row["arm"] == "feature":
            assert row["specificity"] == pytest.approx(row["delta_target"] - of_control[0])
        else:
            assert row["specificity"] is None


def test_rows_do_not_depend_on_the_batches(monkeypatch):
    """All arms of a seed share their noise, in whatever batch they stand."""
    model, sae = toy_llama(), an_sae()
    arms = every_arm(sae)
    run = lambda: measure(model, sae, "dose", arms, PROMPTS, NEUTRAL, OWN, SETTINGS, decode)  # noqa: E731
    whole = run()[1].to_pylist()
    monkeypatch.setattr(dose, "ROWS", 6)
    parts = run()[1].to_pylist()
    key = lambda r: (r["feature"], r["arm"], r["dose"], r["prompt"], r["seed"])  # noqa: E731
    texts = [{key(r): r["text"] for r in rows} for rows in (whole, parts)]
    assert texts[0] == texts[1] and len(dose_table.ARMS) == 5


# --- the reported number ------------------------------------------------------------------------


def row(part, feature, arm, dose_, gain, surprisal=2.0, rep=0.01, share=0.3):
    values = dict.fromkeys(dose.SCHEMA.names, 0.0)
    values |= {"part": part, "feature": feature, "arm": arm, "dose": dose_, "gain": gain}
    values |= {"surprisal": surprisal, "surprisal_plain": 2.0, "rep3": rep, "norm_share": share}
    return values | {"n_texts": 24, "n_with": 3}


def tables():
    rows = [
        # Feature 0: dose 4 includes most and is broken, 2 is repeated, 1 is the sound one.
        *[row("dose", 0, "feature", d, g, s, r) for d, g, s, r in
          [(0.5, 0.1, 2.1, 0), (1, 0.3, 2.9, 0.1), (2, 0.8, 2.9, 0.2), (4, 1.0, 9.0, 0.01)]],
        *[row("report", 0, "feature", d, g, s) for d, g, s in
          [(0.5, 0.05, 2.1), (1, 0.2, 2.8), (2, 0.9, 4), (4, 1.0, 9)]],
        # Feature 1: no dose is sound.
        row("dose", 1, "feature", 1, 0.9, 3.5), row("report", 1, "feature", 1, 0.9, 2.0),
        # Feature 2: equal gains, the smaller dose; a negative one is never the headline's.
        row("dose", 2, "feature", 1, 0.2), row("dose", 2, "feature", 0.5, 0.2),
        row("dose", 2, "feature", -1, 0.5), row("report", 2, "feature", 0.5, 0.6),
        row("report", 2, "feature", 1, 0.1), row("report", 2, "feature", -1, 0.7),
    ]  # fmt: skip
    groups = pa.table({"feature": [0, 1, 2], "groups": [["own"], ["own"], ["meaning"]]})
    return pa.Table.from_pylist(rows, dose.SCHEMA), groups


def test_the_dose_is_chosen_on_other_prompts_and_must_be_sound():
    table, _ = tables()
    assert headline.chosen_doses(table) == {(0, "feature"): 1.0, (2, "feature"): 0.5}
    chosen = headline.at_chosen(table)
    assert {key: r["gain"] for key, r in chosen.items()} == {
        (0, "feature"): 0.2,
        (2, "feature"): 0.6,
    }


def test_the_reported_number_of_each_choice():
    summary = headline.summary(*tables(), seed=0).to_pylist()
    lines = {(r["choice"], r["arm"]): r for r in summary}
    own, other = lines["own", "feature"], lines["meaning", "feature"]
    assert (own["n_features"], own["n_sound"]) == (2, 1)
    assert own["gain"] == pytest.approx(0.1)  # 0.2 and, without a sound dose, 0
    assert own["low"] == pytest.approx(0.0) and own["high"] == pytest.approx(0.2)
    assert own["surprisal_more"] == pytest.approx(0.8) and own["norm_share"] == pytest.approx(0.3)
    assert other["gain"] == pytest.approx(0.6)
    assert other["own_less"] == pytest.approx(0.1 - 0.6) and own["own_less"] is None
    assert lines["own", "control"]["gain"] == 0.0 and lines["own", "control"]["n_sound"] == 0
    assert lines["own", "control"]["surprisal_more"] is None
    assert set(headline.DEFINITIONS) <= set(headline.SCHEMA.names)
