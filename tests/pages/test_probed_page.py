"""The page of a readout: what was asked, its sections, and text that is never markup."""

import re

import pyarrow as pa
import pytest

from saegrid.pages import browser
from saegrid.pages.browser import probed
from saegrid.pages.browser.render import Column

FACTS = {
    "study": "words",
    "model": "a <b>model</b>",
    "spec": '{"stage":"readout"}',
    "corpus": "words",
    "vectors": ["mean", "padded"],
    "sites": ["L0M", "L0N"],
    "cells": ["L0M-8x"],
    "frozen": {"L0M-8x": "none"},
}
ABOUT = {
    "label": "Gender",
    "classes": ["Female", "Male"],
    "left_out": {"unknown tokens only": ["<script>", "Ωmega"]},
}
TEXTS = pa.table({"y": [1.0, 0.0, 1.0], "type": pa.array([0, 1, 0], pa.int32())})


def one(facts, tables):
    table = probed.Table(
        (Column("name", "unit"), Column("score", "AUC", "{:.2f}", "held-out AUC")),
        [{"name": "<i>7</i>", "score": 0.75}, {"name": "8", "score": None}],
        "Scores of units.",
        "readout/probes/{site}.parquet",
    )
    said = [f"{tables['readout_one.table'][0].num_rows} rows & more."]
    return probed.Section("one", "One", "The first", said, ["A paragraph.", table])


def none(facts, tables):
    return None


@pytest.fixture
def page(monkeypatch):
    sections = {"one": f"{__name__}:one", "none": f"{__name__}:none"}
    monkeypatch.setattr(probed, "SECTIONS", sections)
    tables = {"readout_one.table": [pa.table({"x": [1, 2]}), pa.table({"x": [3]})]}
    return probed.probes_page(FACTS, ABOUT, TEXTS, tables)


def test_the_top_says_what_was_asked_and_seen(page):
    assert "<h1>What tells Male from Female?</h1>" in page
    assert (
        "3 texts (2 word types) of the corpus words are labelled by Gender: 2 Male, 1 Female."
        in page
    )
    assert '<p class="lead">2 rows &amp; more.</p>' in page
    assert "Left out, unknown tokens only: 2 texts (&lt;script&gt;, Ωmega)." in page


def test_sections_without_anything_to_say_are_left_out(page):
    anchors = re.findall(r'<section id="(\w+)"', page)
    assert anchors == ["answer", "one", "words"]
    assert re.findall(r'<a href="#(\w+)">', page)[-3:] == ["answer", "one", "words"]


def test_text_is_never_markup_and_absent_numbers_are_dashes(page):
    assert "<i>7</i>" not in page and "&lt;i&gt;7&lt;/i&gt;" in page
    assert "a <b>model" not in page and "0.75" in page
    assert re.search(r'<td class="n" data-sort="">–</td>', page)


def test_conventions_are_told_in_words(page):
    assert "mean over all positions of a row: the text without BOS" in page
    assert "last token of the text" not in page


def test_every_shipped_section_can_be_found():
    from saegrid.base.registry import pick

    for name in browser.SECTIONS:
        assert callable(pick(browser.SECTIONS, name, "Section"))


def test_missing_facts_are_named():
    facts = {name: value for name, value in FACTS.items() if name != "frozen"}
    with pytest.raises(ValueError, match="frozen missing"):
        probed.probes_page(facts, ABOUT, TEXTS, {})
