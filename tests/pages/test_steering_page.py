"""The page of steering: its sentences and numbers are those of its tables, its texts are text."""

import re

import pyarrow as pa
import pytest

from saegrid.interventions import choice, dose, headline
from saegrid.pages.browser.steered import Cell, marked, steering_page, verdict

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


@pytest.fixture(scope="module")
def page():
    return steering_page(FACTS, [a_cell(), a_cell("L2R-8x")], 3)


def test_the_sentences_have_the_numbers_of_the_summary():
    said = verdict([a_cell()])
    # 4 of 8 texts against 1 of 8 without an edit: 37.5 points.
    assert said[0].text == (
        "The feature clamped: +38 percentage points of texts with one of the words (95 % interval "
        "+38 to +38), beside texts without an edit; mean of 1 features, of which 1 have a sound "
        "dose. At these doses surprisal moves by +0.50 nats, and 1 % of the runs of three tokens "
        "repeat."
    )
    assert [line.text.split(":")[0] for line in said] == [
        *("The feature clamped", "Another feature", "Difference of means"),
        *("Its words in the prompt", "The feature clamped, chosen by meaning"),
    ]
    assert all(line.source.startswith("steering_summary.parquet: gain") for line in said)


def test_a_gain_is_never_without_surprisal_and_repetitions(page):
    for line in verdict([a_cell(), a_cell("L2R-8x")]):
        assert "nats" in line.text and "repeat" in line.text
    for sentence in re.findall(r"<p>(Clamped at.*?)</p>", page):
        assert "nats of surprisal" in sentence and "repeat" in sentence


def test_where_no_dose_is_sound_nothing_is_claimed():
    cell = a_cell(broken=True)
    assert verdict([cell])[0].text == (
        "The feature clamped: of 1 features none has a dose at which the text stays whole."
    )
    page = steering_page(FACTS, [cell], 3)
    assert "No dose keeps the text whole" in page and "Clamped at" not in page


def test_what_a_feature_did_stands_in_a_sentence(page):
    assert (
        "Clamped at 0.5 of its maximum, 0.20 of the site&#39;s norm: 4 of 8 texts have one of its "
        "words, 1 without an edit; +0.50 nats of surprisal, 1 % of the runs of three repeat. With "
        "another feature at its own sound dose they are 1."
    ) in page


def test_texts_are_text_and_stand_side_by_side(page):
    assert page.count("without an edit</b>") == page.count("clamped</b>") == 2 * 2 * 2
    assert "&lt;b&gt;<mark>snow</mark>&lt;/b&gt;" in page and "<b>snow</b>" not in page
    assert "<mark>cold</mark> &amp; <mark>SNOW</mark>" in page
    assert "Once &lt;0&gt;" in page


def test_hits_and_the_point_of_parting_are_marked():
    text = str(marked("ab cold cd", {"cold"}, 5))
    assert re.sub(r"<b class.*?</b>", "|", text) == "ab <mark>co</mark>|<mark>ld</mark> cd"
    assert str(marked("", {"cold"}, 0)) == ""


def test_every_measure_has_a_curve_a_cell(page):
    for words in ("gain", "surprisal, nats more", "repeated runs", "log-probability", "KL"):
        assert len(re.findall(rf'aria-label="L\dR-8x: [^"]*{words}', page)) == 2
    assert page.count('class="line solid"') == 2 * 5


def test_every_column_is_defined_and_named_with_its_table(page):
    for table, named in (
        ("steering_choice.parquet", choice.DEFINITIONS),
        ("steering.parquet", dose.DEFINITIONS),
        ("steering_summary.parquet", headline.DEFINITIONS),
    ):
        for name in named:
            assert f'<th scope="row">{name}</th><td class="src">{table}</td>' in page


def test_the_same_tables_give_the_same_bytes(page):
    assert steering_page(FACTS, [a_cell(), a_cell("L2R-8x")], 3) == page
    assert "Content-Security-Policy" in page and "http" not in page.replace("http-equiv", "")
