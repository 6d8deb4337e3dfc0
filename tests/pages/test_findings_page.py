"""The page of findings: its numbers are those of the tables, and no text becomes markup."""

import json
import re
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from saegrid.pages.browser import charts, findings_charts, nulls, outcomes, sentences
from saegrid.pages.browser.answers import SHORT, answers
from saegrid.pages.browser.classifiers import classifiers
from saegrid.pages.browser.discovered import ROOM, ranked
from saegrid.pages.browser.index import index
from saegrid.pages.browser.outcomes import funnel, texts_of
from saegrid.pages.browser.sentences import Contrast, at
from saegrid.pages.browser.verdict import CONFIRMED, LUCK, NOTHING, UNCONFIRMED, state

sys.path.append(str(Path(__file__).parents[1] / "browser"))
import pageworld
from reading import Document

from telling import HOSTILE, made, page_of

OVER = {"mean": np.mean, "smallest": min, "largest": max}
NUMBER = re.compile(r'<(?:a|span) class="num"(?: href="([^"]*)")? title="([^"]*)">([^<]*)</')
FACT = re.compile(
    r'<tr id="([^"]*)"><th scope="row">(?:[^<]*)</th><td class="n">([^<]*)</td>'
    r"<td><code>([^<]*)</code></td></tr>"
)


@pytest.fixture(scope="module")
def study():
    return made()


@pytest.fixture(scope="module")
def page(study):
    return page_of(study)


def value_of(study, source):
    """The value that a source names: `mean of FILE: path / path`."""
    over, _, rest = source.rpartition(" of tests.json: ") if " of tests" in source else ("", "", "")
    path = rest or source.partition(": ")[2]
    if source.startswith("probes_summary"):
        column, where = re.fullmatch(r"(\w+)\[(.*)\]", path).groups()
        wanted = dict(part.split("=", 1) for part in where.split(", "))
        rows = [
            row
            for row in study.probes_summary.to_pylist()
            if all(
                (str(row[key]) if row[key] is not None else None) == wanted.get(key)
                for key in ("probe", "site", "cell", "representation", "k")
            )
        ]
        assert len(rows) == 1, source
        return rows[0][column]
    if source.startswith("probes.json"):
        name, inner = re.fullmatch(r"probes\[([^\]]*)\]\.(.*)", path).groups()
        return at(next(one for one in study.probes["probes"] if one["name"] == name), inner)
    path, _, below = path.partition(" / ")
    match = re.fullmatch(r"contrasts\[([^\]]*)\]\.(.*)", path)
    root = study.tests
    if match:
        root = next(one for one in root["contrasts"] if one["name"] == match[1])
        path = match[2]
    if every := re.fullmatch(r"(\w+)\[\*\](?:\[(\d)\])?", path):
        values = (
            root[every[1]] if every[2] is None else [one[int(every[2])] for one in root[every[1]]]
        )
        return len(values) if over == "number" else OVER[over](values)
    value = at(root, path)
    return value / at(root, below) if below else value


def written(text):
    """The number that a text says, its last digit's unit, and 100 if it is in percent."""
    plain = unescape(text).replace(",", "").replace("−", "-").replace("features", "")
    plain = plain.replace("feature", "").strip()
    plain = "0" if plain == "none" else plain
    scale = 100 if plain.endswith("%") else 1
    plain = plain.removesuffix("%").strip()
    digits = len(plain.partition(".")[2])
    return float(plain), 10.0**-digits, scale


def agrees(text, value, points=False):
    number, unit, scale = written(text)
    return abs(number - (100 if points else scale) * abs(value) * np.sign(number or 1)) <= (
        0.5001 * unit
    )


def in_points(study, source):
    """True of the size of a difference of rates."""
    name = re.search(r"contrasts\[([^\]]*)\]\.smallest_detectable", source)
    return bool(name) and any(
        one["name"] == name[1] and "rate" in one["effect"] for one in study.tests["contrasts"]
    )


def test_every_number_of_the_prose_is_that_of_its_table(study, page):
    numbers = [(unescape(source), text) for _, source, text in NUMBER.findall(page)]
    checked = 0
    for source, text in numbers:
        if not source.startswith("rows of"):
            value = value_of(study, source)
            assert agrees(text, value, in_points(study, source)), (source, text, value)
            checked += 1
    assert checked > 150
    named = {source for source, _ in numbers}
    for field in ("n_tested", "n_discovered", "n_confirmed", "smallest_detectable"):
        for name in ("k1", "k3", "k4"):
            assert f"tests.json: contrasts[{name}].{field}" in named
    assert {"tests.json: n_cells", "tests.json: plan.alpha", "tests.json: base_high"} <= named


def test_every_number_leads_to_a_row_that_names_its_field(page):
    ids = set(map(unescape, re.findall(r'\bid="([^"]*)"', page)))
    facts = {anchor: (text, unescape(source)) for anchor, text, source in FACT.findall(page)}
    assert len(facts) > 100
    for href, source, text in NUMBER.findall(page):
        if href:
            assert unescape(href).removeprefix("#") in ids, href
        if row := facts.get(unescape(href or "").removeprefix("#")):
            field = unescape(source).partition(" / ")[0].rpartition(" of tests.json: ")[2]
            assert field.removeprefix("tests.json: ") in row[1]
            if " of " not in unescape(source) and " / " not in source:
                assert re.sub(r" features?", "", text) == row[0], source
    assert len(ids) == len(re.findall(r'\bid="([^"]*)"', page)), "an id stands once"


def test_no_digit_of_the_answer_is_typed(study, page):
    """Outside of numbers with a source there are only the 95 % of intervals."""
    answer = page.partition('<dl class="points">')[2].partition("</dl>")[0]
    answer += page.partition("<h1>")[2].partition("</h1>")[0]
    answer += page.partition('<dl class="explained">')[2].partition("</dl>")[0]
    rest = NUMBER.sub("", answer).replace("95\u00a0% interval", "")
    assert not re.search(r"\d", re.sub(r"<[^>]*>", " ", rest)), rest


def test_text_of_the_study_is_never_markup(study, page):
    document = Document(page)
    assert "</script><script>" not in page
    for tag in ("b", "i"):
        assert f"<{tag}>" not in page
    assert set(document.scripts) == {"data", "script", "style"}
    assert page.count("<script") == 3
    data = json.loads(document.scripts["data"])
    assert any(HOSTILE in (words or "") for words in data["columns"]["words"])
    assert any(HOSTILE in str(one) for one in data["examples"])
    assert "default-src 'none'" in page
    assert "ma<de" in document.text and "toy & model" in document.text
    assert document.metas["saegrid-spec"] == study.facts["spec"]


def test_the_same_tables_give_the_same_bytes(study, page):
    assert page == page_of(made())
    assert page_of(study, most=3) != page


def test_the_answer_says_what_was_found_and_what_was_not(study):
    lines = {line.heading: [str(one) for one in line.sentences] for line in
             answers(study.tests, study.probes, study.probes_summary)}  # fmt: skip
    k1, k3, _ = study.tests["contrasts"]
    (verdict,) = lines[SHORT]
    assert verdict.startswith(f"{k1['n_confirmed']} features tell “{k1['a']}” from “{k1['b']}”")
    assert verdict.endswith("to tell “high label” from “low label” by whether it fires.")
    assert k3["n_magnitude"] == 2 and "2 features stand out. The plan counts firing" in " ".join(
        lines["Found"]
    )
    assert "is an idea to test, and does not count as found" in lines["Found"][1]
    assert f"{k1['n_discovered']} stand out" in lines["Found"][0]
    assert f"{k1['n_confirmed_new_words']} still do" in lines["Confirmed"][0]
    assert "nothing was there to be confirmed" in lines["Confirmed"][1]
    assert "That does not show that there is none" in lines["Not found"][1]
    assert f"{100 * k3['smallest_detectable']:.2f} percentage points" in lines["Not found"][1]
    assert "SAEs with a frozen part 4 of 2,011" in lines["By chance"][0]
    assert "are not shown to know anything that the words do not" in lines["Against words"][1]
    assert lines["Also asked"][0].startswith("“Graded label”")
    without = {line.heading: str(line.sentences[0]) for line in answers(study.tests)}
    assert "were not held against words" in without["Against words"]


@pytest.mark.parametrize(
    ("discovered", "confirmed", "shuffled", "outcome", "words"),
    [
        (0, 0, 0, NOTHING, "No feature was seen to tell"),
        (5, 0, 0, UNCONFIRMED, "did not hold in texts that were kept aside"),
        (5, 2, 2, LUCK, "No more features than chance gives"),
        (5, 1, 0, CONFIRMED, "1 feature tells “edited <i>word</i>” from"),
    ],
)
def test_the_verdict_follows_from_the_counts(
    study, discovered, confirmed, shuffled, outcome, words
):
    changed = study.tests["contrasts"][0] | {
        "n_discovered": discovered,
        "n_confirmed": confirmed,
        "shuffled": [[3, shuffled], [0, 0]],
    }
    assert state(Contrast(changed)) == outcome
    verdict, *_ = answers(study.tests | {"contrasts": [changed]})
    assert words in str(verdict.sentences[0])


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"n_nuisances": 2, "n_word": 0}, "Of the 5 discovered, 2 remain beyond A and B, and none "
         "beyond the word itself."),
        ({"n_nuisances": 0, "n_word": 1}, "Of the 5 discovered, none remain beyond A and B, and 1 "
         "beyond the word itself."),
        ({"n_nuisances": None, "n_word": 1}, "Of the 5 discovered, 1 remains beyond the word "
         "itself."),
        ({"n_nuisances": 3, "n_word": None}, "Of the 5 discovered, 3 remain beyond A and B."),
        ({"n_nuisances": None, "n_word": None}, "kept aside."),
    ],
)  # fmt: skip
def test_the_verdict_says_what_is_more_than_something_simpler(study, counts, words):
    changed = study.tests["contrasts"][0] | {"n_discovered": 5, "n_confirmed": 4, **counts}
    tests = study.tests | {"contrasts": [changed], "nuisances": {"groups": ["A", "B"]}}
    verdict, *_ = answers(tests)
    assert str(verdict.sentences[0]).endswith(words)
    unconfirmed, *_ = answers(tests | {"contrasts": [changed | {"n_confirmed": 0}]})
    assert "remain" not in str(unconfirmed.sentences[0])


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ((0.02, 0.01, 0.03), "know something that the words do not"),
        ((-0.02, -0.03, -0.01), "Added to the words, the features make it worse"),
        ((0.0, -0.01, 0.01), "are not shown to know anything that the words do not"),
        (
            (0.02, 0.02, 0.02),
            "scores +0.020 against that of the words (95\u00a0% interval both ends +0.020)",
        ),
        ((None, None, None), "was not worked out"),
    ],
)
def test_against_words_the_interval_decides(study, gain, words):
    rows = study.probes_summary.to_pylist()
    for row in rows:
        row |= dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
    summary = pa.Table.from_pylist(rows, study.probes_summary.schema)
    lines = answers(study.tests, study.probes, summary)
    (against,) = [line for line in lines if line.heading == "Against words"]
    assert words in str(against.sentences[0])


def test_the_words_are_those_that_the_gain_is_above(study):
    """A gain is over the baseline that probes.json names: its score stands before it."""
    facts = [one | {"baseline": "both"} for one in study.probes["probes"]]
    rows = study.probes_summary.to_pylist()
    words = [row for row in rows if row["representation"] == "words + surprisal"]
    rows += [row | {"representation": "both", "score": row["score"] + 0.05} for row in words]
    summary = pa.Table.from_pylist(rows, study.probes_summary.schema)
    of_probes = classifiers({"probes": facts}, summary, ["L7R-frozen"])
    assert [probe.words["score"] for probe in of_probes] == pytest.approx([0.947, 0.701])
    (plain, _) = classifiers(study.probes, summary)
    assert plain.words["representation"] == "words + surprisal"


@pytest.mark.parametrize(
    ("ends", "text"), [((1.0, 1.0), "both ends +1.000"), ((0, 1.0), "0.000 to +1.000")]
)
def test_an_interval_without_width_is_one_number(ends, text):
    low, high = (sentences.Number(sentences.gain(one), "", "") for one in ends)
    assert str(sentences.sentence(*sentences.span(low, high))) == text


def test_a_changed_plan_opens_the_page_and_is_told_again(study):
    change = "alpha was 0.05 and is 0.01 <b>"
    page = page_of(study.but(plan_changes=[change]))
    text = Document(page).text
    assert text.count(change) == 2
    assert text.index(change) < text.index("Found")
    assert "It was not changed since" not in text
    assert "<b>" not in page


def test_what_was_not_run_says_how_to_get_it():
    text = re.sub(r"\s+", " ", Document(page_of(made(nulls=False, probes=False))).text)
    for words in ("add an SAE with freeze: decoder", "name the study of the untrained model in",
                  "write the line probes: {} below analyses: in the config file",
                  "shuffled labels were not tried"):  # fmt: skip
        assert words in text, words
    assert "How much do the features know together?" not in text


def test_a_study_without_discoveries_has_a_page(study):
    nothing = replace(
        study,
        discoveries=study.discoveries.slice(0, 0),
        examples=study.examples.slice(0, 0),
        by_cell=study.by_cell.slice(0, 0),
    )
    only = study.tests["contrasts"][1] | {
        "n_tested": 0,
        "by_cell": [],
        "p_histogram": [],
        "volcano": {"x_edges": [], "y_edges": [], "counts": [], "points": []},
        "smallest_detectable": None,
    }
    text = Document(page_of(nothing.but(contrasts=[only]))).text
    assert "Nothing was tested." in text
    assert "a tall last bar are no fault then" in text
    assert "missed is not known, as no feature was tested." in text
    assert "effect below about" not in text and "that is an effect of" not in text
    alike = page_of(nothing.but(contrasts=[study.tests["contrasts"][1] | {
        "smallest_detectable": None}]))  # fmt: skip
    text = Document(alike).text
    assert "missed is not known, as no feature differs enough between the sides to tell." in text
    assert "effect below about" not in text and "that is an effect of" not in text


def test_discovered_features_come_by_lift_and_confirmed_ones_first(study):
    table = study.discoveries
    rows = table.take(pa.array(ranked(table))).to_pylist()
    confirmed = [row["confirmed"] for row in rows]
    assert confirmed == sorted(confirmed, reverse=True)
    own = [row for row in rows if row["confirmed"] and row["contrast"] == "k1"]
    sure = [max(row["lift_low"], 1 / row["lift_high"]) for row in own]
    assert sure == sorted(sure, reverse=True)
    for row in own:
        assert row["lift_low"] < row["lift"] < row["lift_high"]
    first = [row["contrast"] for row in rows[:4]]
    assert first == ["k1", "k4", "k1", "k4"], "a question with few features is not crowded out"


def test_a_study_of_many_features_stays_small():
    """40,000 discovered features with long texts: the first stand on the page."""
    study = made(8)
    times = 40_000 // study.discoveries.num_rows
    many = pa.concat_tables([study.discoveries] * times)
    many = many.set_column(
        many.column_names.index("feature"), "feature", pa.array(range(len(many)), pa.int32())
    )
    keys = ["contrast", "cell", "feature"]
    examples = [
        row | {"kind": kind, "item": 1, "id": "t", "before": "日本語<" * 200, "original": "a",
               "edited": "b" * 500, "after": "</script>" * 99, "activation": 1.0, "label": 2.0}
        for row in many.slice(0, 4000).select(keys).to_pylist()
        for kind in ("strongest", "strongest", "random", "miss")
    ]  # fmt: skip
    table = pa.Table.from_pylist(examples, study.examples.schema)
    page = page_of(replace(study, discoveries=many, examples=table))
    assert len(page.encode()) < 8e6
    assert f'title="rows of discoveries.parquet">{len(many):,}</span>' in page
    data = json.loads(Document(page).scripts["data"])
    assert len(data["columns"]["feature"]) == 2000
    assert len(json.dumps(data["examples"], ensure_ascii=False).encode()) < ROOM * 1.1
    longest = max(len(text) for row in data["examples"] for one in row for text in one[1:5])
    assert longest == 161


def test_the_index_opens_with_the_answer(study):
    lines = answers(study.tests, study.probes, study.probes_summary)
    text = index(pageworld.STUDY, pageworld.cells(), pageworld.CORPORA, findings=lines)
    document = Document(text)
    shown = re.sub(r"\s+", " ", document.text)
    confirmed = study.tests["contrasts"][0]["n_confirmed"]
    assert shown.index("What was found") < shown.index("Grid:")
    assert f"{confirmed} features tell edited <i>word</i> from original word" in shown
    assert "findings.html#c-k1-n_confirmed" in document.links
    assert "<i>" not in text.partition('id="found"')[2].partition("</section>")[0]
    assert "What was found" not in index(pageworld.STUDY, pageworld.cells(), pageworld.CORPORA)


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        (sentences.percent, 0.4567, "46 %"),
        (sentences.percent, 0.05, "5 %"),
        (sentences.percent, 0.00123, "0.12 %"),
        (sentences.percent, 0.0, "0 %"),
        (sentences.gain, -0.0123, "−0.012"),
        (sentences.gain, 0.00001, "0.000"),
        (sentences.p_value, 3.2e-7, "3 × 10⁻⁷"),
        (sentences.p_value, 0.0123, "0.012"),
        (sentences.p_value, 0.0, "< 10⁻³⁰"),
        (sentences.count, 21521, "21,521"),
        (sentences.count, 0.35, "0.3"),
    ],
)
def test_forms_of_numbers(form, value, text):
    assert form(value) == text


def test_labels_are_pushed_apart_and_stay_inside():
    places = charts.spread([0.95, 0.94, 0.1, 0.99], 0.1)
    assert places[2] == 0.1
    order = sorted(places)
    assert min(np.diff(order)) >= 0.1 - 1e-9
    assert max(places) <= 1


def test_numbers_of_a_panel_do_not_touch():
    """The ends stay, and between them what is far enough from all that stand."""
    ticks = [(0.0, "0"), (0.47, "100"), (0.6, "200"), (0.9, "400")]
    assert nulls.apart(ticks) == [(0.0, "0"), (0.47, "100"), (0.9, "400")]
    assert nulls.apart(ticks[:1]) == ticks[:1] and nulls.apart([]) == []


def test_ticks_are_round_numbers_within_the_axis():
    assert charts.rounded(0, 10) == [0, 5, 10]
    assert charts.rounded(-0.08, 0.12) == [-0.05, 0, 0.05, 0.1]
    assert charts.rounded(3, 3) == [3]
    assert charts.rounded(0.5, 0.69, 4) == [0.5, 0.6], "an end that is a tick is one"
    assert charts.rounded(1, 9.2) == [2, 4, 6, 8], "with the fewest steps there were 5 alone"
    assert charts.ends(3, 3) == (1.5, 4.5) and charts.ends(0, 0) == (-1, 1)
    assert charts.ends(-1, 2) == (-1, 2)


@pytest.mark.parametrize(
    ("top", "ticks"),
    [(0.34, ["0", "0.2"]), (0, ["0", "0.5", "1"]), (45, ["0", "1", "3", "10", "30"])],
)
def test_evidence_has_two_ticks_where_nothing_was_found(study, top, ticks):
    contrast = Contrast(
        study.tests["contrasts"][1]
        | {"volcano": {"x_edges": [0.0, 0.0], "y_edges": [0.0, top], "counts": [[0, 0, 5]],
                       "points": []}}
    )  # fmt: skip
    chart = str(findings_charts.volcano(contrast, lambda cell, feature: "#"))
    assert re.findall(r'<span class="y"[^>]*>([^<]*)<', chart) == ticks
    assert len(re.findall(r'<span class="x"[^>]*>([^<]*)<', chart)) >= 2
    assert outcomes.PLAN["alpha"]


def test_unpaired_texts_have_no_originals_and_are_counted_from_the_whole(study):
    one = study.tests["contrasts"][1] | {
        "a": "food", "b": "politics", "n_a": 22, "n_b": 29, "n_clusters": 51, "left_out": {},
        "scheme": None, "n_confirmed_new_words": None,
    }  # fmt: skip
    sizes = {"discovery": 51, "confirmation": 69}
    parts = {name: {"n": n, "corpus": "texts"} for name, n in sizes.items()}
    tests = study.tests | {"paired": False, "contrasts": [one], "parts": parts}
    assert str(texts_of(tests, Contrast(one))) == (
        "22 texts of “food” against 29 of “politics”. 51 of the 120 texts were searched, 69 were "
        "kept aside."
    )
    grouped = Contrast(one | {"n_clusters": 30})
    assert "“politics”, in 30 groups that belong together. 51" in str(texts_of(tests, grouped))
    scheme = "labels of whole originals move between originals with as many texts"
    shuffled = Contrast(one | {"scheme": scheme})
    assert "Under shuffling: labels of texts move between texts" in str(texts_of(tests, shuffled))
    assert "from 51 originals." in str(texts_of(tests | {"paired": True}, Contrast(one)))
    counted = one | {"n_confirmed_new_words": 1}
    steps = [
        [words for _, words, _ in funnel(tests | {"paired": paired}, Contrast(counted))]
        for paired in (True, False)
    ]
    assert len(steps[0]) == len(steps[1]) + 1 and "edit" in str(steps[0])
    assert "edit" not in str(steps[1]), "texts that are no edits have no new ones"
