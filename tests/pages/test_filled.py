"""Words filled in while features are turned up, on the page: every number is that of its table."""

import re
from html import unescape

import pyarrow as pa
import pytest

from saegrid.interventions.filled import RULE, SCHEMA, TEXTS
from saegrid.interventions.filling import MEASURES
from saegrid.pages.browser.filled import ANSWERS, FORMS, HEADINGS, PARTS, filled
from saegrid.pages.browser.findings import findings_page
from saegrid.pages.browser.sentences import Number
from telling import HOSTILE, made

NUMBER = re.compile(r'<(?:a|span) class="num"(?: href="([^"]*)")? title="([^"]*)">([^<]*)</')


def dose(at, start):
    names = enumerate(MEASURES)
    return {
        "dose": at,
        "n": 2,
        "measures": {
            name: {part: start + i / 100 - j / 1000 for j, part in enumerate(PARTS)} | {"n": 2}
            for i, name in names
        },
    }


def facts_of(grade="nothing", at=1.0, n=2):
    return {
        "part": "test",
        "n_originals": 100,
        "n_edits": 290,
        "n_headlines": 1180,
        "n_features": n,
        "doses": [dose(0.0, -0.3), dose(1.0, 0.1), dose(2.0, 0.7)] if n else [],
        "verdict": {"dose": at, "grade": grade, "slope": "funnier" if at else grade},
        "unchanged": {"grade": 1.0625, "entropy": 4.5},
        "rule": RULE,
        "most_extra": 1.0,
        "definitions": MEASURES,
    }


def tables():
    rows = [
        {
            "contrast": "k2",
            "cell": "L3R-8x",
            "feature": 5 if role == "feature" else 9,
            "sign": -1,
            "role": role,
            "control_of": None if role == "feature" else 5,
            "dose": at,
            "value": 2 * at,
            "n": 100,
            **{f"{name}{end}": at + size for name in MEASURES for end in ("", "_low", "_high")},
        }
        for at in (0.0, 1.0, 2.0)
        for role, size in (("feature", 0.25), ("control", 0.125))
    ]
    for row in rows:
        row["words"] = None if row["role"] == "control" else row["words"]
    texts = [
        {
            "contrast": "k2",
            "cell": "L3R-8x",
            "feature": 5,
            "role": "feature",
            "dose": at,
            "item": 3,
            "context": f" The {HOSTILE}",
            "replaced": " tax",
            "edit": " pie",
            "before": [" dog", " "],
            "before_p": [0.5, 0.25],
            "after": [" cat", " a"],
            "after_p": [0.75 + at / 10, 0.1],
        }
        for at in (0.0, 1.0)
    ]
    return pa.Table.from_pylist(rows, SCHEMA), pa.Table.from_pylist(texts, TEXTS)


def numbers_of(said):
    every = [said.answer, *(one for line in said.lines for one in line.sentences)]
    every = [part for one in every for part in one.parts if isinstance(part, Number)]
    return every + [n for _, row in said.doses for numbers in row for n in numbers]


def value_of(facts, source):
    path = source.removeprefix("filling.json: ")
    if match := re.fullmatch(r"doses\[(.*)\]\.measures\.(\w+)\.(\w+)", path):
        (one,) = (d for d in facts["doses"] if d["dose"] == float(match[1]))
        return FORMS[match[2]](one["measures"][match[2]][match[3]])
    value = facts
    for name in path.split("."):
        value = value[name]
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


@pytest.mark.parametrize("grade", ANSWERS)
def test_every_number_is_that_of_its_table(grade):
    facts = facts_of(grade)
    said = filled(facts, *tables(), "up<")
    numbers = numbers_of(said)
    assert len(numbers) > 3 * len(HEADINGS) * len(PARTS)
    for number in numbers:
        assert number.text == value_of(facts, number.source), number.source
    assert str(said.answer) == ANSWERS[grade]
    grades = str(said.lines[1].sentences[0])
    assert (
        "At 1 × the feature's own maximum the expected grade of what is filled in, 1.062" in grades
    )
    assert (
        "before, changes by +0.1400 with the feature and by +0.1390 with its control, a difference "
        "of +0.1380 (+0.1370 to +0.1360)" in grades
    )
    assert "These are few" in str(said.lines[0].sentences[0])


def test_features_and_texts_are_those_of_the_dose_that_is_judged():
    said = filled(facts_of(), *tables(), "up<")
    ((name, link, side, measures),) = said.features
    assert (name, side) == ("L3R-8x #5", "k2, low")
    assert link == "up%3C/cells/L3R-8x/features.html#5"
    assert measures[0] == ("+1.2500", "+1.2500 to +1.2500", "+1.1250")
    assert measures[2][2] == "–", "the control has no words"
    ((context, edit, before, after),) = said.texts
    assert (context, edit) == (f"The {HOSTILE}", "tax → pie")
    assert before == "dog 50 %, ␣ 25 %" and after == "cat 85 %, a 10 %"
    assert said.shown == "L3R-8x #5, 1 × its maximum"


def test_what_cannot_be_judged_is_said():
    none = filled(facts_of("not judged", None, 0), *(t.slice(0, 0) for t in tables()), "x")
    assert str(none.answer).startswith("No feature of a contrast about the label was confirmed")
    assert not none.lines and not none.features and not none.texts
    strong = filled(facts_of("not judged", None), *tables(), "x")
    assert "already the smallest dose adds more than 1 nat of surprisal" in str(strong.answer)
    assert len(strong.lines) == 1 and strong.features


def page(filling):
    study = made()
    return findings_page(
        study.facts,
        study.tests,
        study.by_cell,
        study.discoveries,
        study.examples,
        filling=filling,
    )


def test_the_section_stands_on_the_page_where_the_study_has_it():
    assert 'id="filling"' not in page(None)
    facts = facts_of()
    text = page((facts, *tables()))
    start = text.index('<section id="filling"')
    section = text[start : text.index("</section>", start)]
    numbers = NUMBER.findall(section)
    assert len(numbers) > 20
    for href, source, shown in numbers:
        assert unescape(shown) == value_of(facts, unescape(source)), source
        assert f'id="{href[1:]}"' in section, href
    assert HOSTILE not in section and "&lt;/script&gt;" in section
    ids = re.findall(r'id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
