"""The page of steering: its sentences and numbers are those of its tables, its texts are text."""

import re

import pyarrow as pa
import pytest

from saegrid.interventions import choice, choice_table, dose, dose_table, headline, pooled
from saegrid.pages.browser import steered_gains
from saegrid.pages.browser.sentences import Number
from saegrid.pages.browser.steered import Cell, marked, steering_page
from saegrid.pages.browser.steered_gains import Gains, lines, panels, shown, verdict

FACTS = {"study": "toy", "model": "m", "spec": "s", "corpus": "main"}
ARMS = ("feature", "control", "means", "prompt")


def choice_row(feature, groups, words=("snow", "cold"), **scores):
    values = {"own": 0.3, "lens": 0.1, "meaning": 0.2, "confidence": 0.0, "kl": 0.5} | scores
    return values | {
        "feature": feature, "n_active": 50, "max_activation": 2.0, "words": list(words),
        "targets": [5, 6], "share": 0.9, "groups": groups, "control": 9,
    }  # fmt: skip


def dose_row(part, feature, arm, value, n_with, more=0.5, rep=0.01):
    return {
        "part": part, "feature": feature, "arm": arm, "dose": value, "value": 2 * value,
        "norm_share": 0.4 * value, "n_texts": 8, "n_with": n_with, "inclusion": n_with / 8,
        "low": 0.0, "high": 1.0, "inclusion_plain": 0.125, "gain": n_with / 8 - 0.125,
        "surprisal": 2.0 + more, "surprisal_plain": 2.0, "rep3": rep, "rep3_plain": 0.0,
        "delta_target": value, "specificity": None, "kl": 0.2,
    }  # fmt: skip


def text_row(feature, arm, value, prompt, text, parting=4):
    return {
        "part": "report", "feature": feature, "arm": arm, "dose": value, "prompt": prompt,
        "seed": 0, "before": f"Once <{prompt}>", "text": text, "parting": parting, "n_hits": 1,
        "surprisal": 2.0,
    }  # fmt: skip


def a_cell(name="L1R-8x", broken=False):
    more = 5.0 if broken else 0.5
    doses = [
        dose_row(part, feature, arm, value, 4 if arm == "feature" else 1, more)
        for part in ("dose", "report")
        for feature in (3, 4)
        for arm in ARMS
        for value in ((0.0,) if arm == "prompt" else (0.5, 1.0, -1.0))
    ]
    doses_table = pa.Table.from_pylist(doses, dose.SCHEMA)
    chosen = [choice_row(3, ["own"]), choice_row(4, ["meaning"]), choice_row(9, [])]
    choices = pa.Table.from_pylist(chosen, choice.SCHEMA)
    texts = [text_row(-1, "none", 0.0, p, "The <b>snow</b> fell") for p in range(2)]
    texts += [
        text_row(f, "feature", v, p, "The cold & SNOW came")
        for f in (3, 4) for v in (0.5, 1.0) for p in range(2)
    ]  # fmt: skip
    summary = headline.summary(doses_table, choices, 0)
    return Cell(name, choices, doses_table, pa.Table.from_pylist(texts, dose.TEXTS), summary)


def pool(*cells):
    return pooled.by_choice([c.choice for c in cells], [c.doses for c in cells], 0)


def page_of(*cells):
    return steering_page(FACTS, cells, pool(*cells), 3)


@pytest.fixture(scope="module")
def page():
    return page_of(a_cell(), a_cell("L2R-8x"))


def gains_of(**clamped):
    """A pooled table with the gain, its interval of ± .1, of each choice; differences in the same
    way, and nothing of other arms."""
    rows = [
        {"choice": name, "arm": "feature", "gain": gain, "low": gain - 0.1, "high": gain + 0.1}
        for name, gain in clamped.items()
    ]
    rows += [
        {
            **{"choice": one, "arm": "feature", "less_choice": other, "less_arm": "feature"},
            **{"gain": apart, "low": apart - 0.1, "high": apart + 0.1},
        }
        for (one, _), (other, _) in pooled.DIFFERENCES
        if one != other and {one, other} <= set(clamped)
        for apart in [clamped[one] - clamped[other]]
    ]
    counts = {"n_cells": 2, "n_features": 4, "n_sound": 4, "n_above": 2}
    delta = {"delta_target": 1.0, "delta_low": 0.5, "delta_high": 1.5}
    costs = {"surprisal_more": 0.5, "rep3": 0.02, "norm_share": 0.4}
    return Gains(pa.Table.from_pylist([counts | delta | costs | r for r in rows], pooled.SCHEMA))


COST = "of 100 texts, at +0.50 nats of surprisal, 2 % repeated."


@pytest.mark.parametrize(
    "clamped, said",
    [
        (
            {"own": 0.4, "lens": 0.1, "meaning": 0.2, "random": 0.0},
            "Features chosen by their own words work best: clamped, they bring one of their words "
            f"into 40.0 more {COST}",
        ),
        (
            {"own": 0.2, "lens": 0.4, "meaning": 0.35, "random": 0.0},
            "Clamped features chosen by the logit lens work surely better than those chosen by "
            "their own words and drawn at random, not surely better than those chosen by meaning: "
            f"they bring one of their words into 40.0 more {COST}",
        ),
        (
            {"own": 0.2, "meaning": 0.15},
            "Clamped features chosen by their own words work not surely better than those chosen "
            f"by meaning: they bring one of their words into 20.0 more {COST}",
        ),
        (
            {"own": 0.05, "meaning": 0.0},
            "No choice of features surely brings their words into the text: at best, those chosen "
            f"by their own words bring them into +5.0 (−5.0 to +15.0) {COST}",
        ),
        (
            {"own": 0.4},
            "Features chosen by their own words work: clamped, they bring one of their words into "
            f"40.0 more {COST}",
        ),
        ({}, "No feature was steered."),
    ],
)
def test_the_verdict_is_made_by_rule(clamped, said):
    assert str(verdict(gains_of(**clamped))) == said


def numbers_of(gains):
    every = [verdict(gains), *(one for line in lines(gains) for one in line.sentences)]
    every = [part for one in every for part in one.parts if isinstance(part, Number)]
    return every + [row.number for panel in panels(gains) for row in panel.rows]


def test_every_number_of_a_sentence_and_a_panel_is_that_of_its_table(page):
    table = pool(a_cell(), a_cell("L2R-8x"))
    rows = {f"#{steered_gains.anchor(row)}": row for row in table.to_pylist()}
    numbers = numbers_of(Gains(table))
    assert len(numbers) > 30
    for number in numbers:
        file, _, name = number.source.partition(": ")
        assert file == "steering_by_choice.parquet" and name in pooled.SCHEMA.names
        assert number.text in (text := shown(name, rows[number.href][name]), text[1:]), number
        assert f'id="{number.href[1:]}"' in page
    own = rows["#gain-own-feature"]
    # 4 of 8 texts against 1 of 8 without an edit.
    assert (own["gain"], shown("gain", own["gain"])) == (0.375, "+37.5")


def test_the_tables_of_the_page_are_those_of_the_study(page):
    for row in pool(a_cell(), a_cell("L2R-8x")).to_pylist():
        (line,) = re.findall(rf'<tr id="{steered_gains.anchor(row)}">(.*?)</tr>', page)
        cells = re.findall(r"<td[^>]*>(.*?)</td>", line)
        low, high = shown("low", row["low"]), shown("high", row["high"])
        assert f"{low} to {high}" in cells and shown("gain", row["gain"]) in cells
        if row["less_choice"] is None:
            assert f"{row['n_sound']} of {row['n_features']}" in cells
            for name in ("surprisal_more", "rep3", "norm_share"):
                assert shown(name, row[name]) in cells
        else:
            assert f"{row['n_above']} of {row['n_cells']} cells" in cells


def test_a_gain_is_never_without_surprisal_and_repetitions(page):
    gains = Gains(pool(a_cell(), a_cell("L2R-8x")))
    said = [verdict(gains), *(one for line in lines(gains) for one in line.sentences)]
    alone = {f"#{steered_gains.anchor(row)}" for row in gains.alone}
    for one in said:
        of = [part for part in one.parts if isinstance(part, Number) and part.href in alone]
        names = [part.source.partition(": ")[2] for part in of]
        assert names.count("gain") == names.count("surprisal_more") == names.count("rep3")
    for sentence in re.findall(r"<p>(Clamped at.*?)</p>", page):
        assert "nats of surprisal" in sentence and "repeat" in sentence


def test_where_no_dose_is_sound_nothing_is_claimed():
    cell = a_cell(broken=True)
    assert str(verdict(Gains(pool(cell)))) == (
        "No dose of any feature leaves the text whole: nothing can be said."
    )
    page = page_of(cell)
    assert "No dose keeps the text whole" in page and "Clamped at" not in page


def test_what_a_feature_did_stands_in_a_sentence(page):
    assert (
        "Clamped at 0.5 × its maximum, 0.20 of the site&#39;s norm: 4 of 8 texts have one of its "
        "words, 1 without an edit; +0.50 nats of surprisal, 1 % of the runs of three repeat. With "
        "another feature at its own sound dose they are 1."
    ) in page


def test_texts_are_text_and_stand_side_by_side(page):
    assert page.count("without an edit</b>") == page.count("clamped at 0.5 × its maximum</b>") == 8
    assert "&lt;b&gt;<mark>snow</mark>&lt;/b&gt;" in page and "<b>snow</b>" not in page
    assert "<mark>cold</mark> &amp; <mark>SNOW</mark>" in page
    assert "Once &lt;0&gt;" in page


def test_hits_and_the_point_of_parting_are_marked():
    text = str(marked("ab cold cd", {"cold"}, 5))
    assert re.sub(r"<b class.*?</b>", "|", text) == "ab <mark>co</mark>|<mark>ld</mark> cd"
    assert str(marked("", {"cold"}, 0)) == ""


def test_every_measure_has_a_curve_of_the_choices_and_one_a_cell(page):
    for words in ("gain", "surprisal, nats more", "repeated runs", "log-probability", "KL"):
        assert len(re.findall(rf'aria-label="L\dR-8x: [^"]*{words}', page)) == 2
        assert len(re.findall(rf'aria-label="all cells: [^"]*{words}', page)) == 1
    assert page.count('class="line solid"') == 3 * 5
    assert page.count("own words</span>") >= 5 and page.count("another feature</span>") >= 10


def test_every_column_is_defined_and_named_with_its_table(page):
    for table, named in (
        ("steering_choice.parquet", choice_table.DEFINITIONS),
        ("steering.parquet", dose_table.DEFINITIONS),
        ("steering_summary.parquet", headline.DEFINITIONS),
        ("steering_by_choice.parquet", pooled.DEFINITIONS),
    ):
        for name in named:
            line = rf'<th scope="row">{name}</th><td class="text">[^\n]*<code>{table}</code>'
            assert re.search(line, page), (table, name)


def test_the_same_tables_give_the_same_bytes(page):
    assert page_of(a_cell(), a_cell("L2R-8x")) == page
    assert "Content-Security-Policy" in page and "http" not in page.replace("http-equiv", "")
