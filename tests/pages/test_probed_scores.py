"""The section of probes: its answers, tables and charts, from tables of a planted world."""

import re

import pyarrow as pa
import pytest

from readouts import SITES, tables
from saegrid.pages.browser import probed, probed_scores
from saegrid.pages.browser.probed import Charts, Table

FACTS = {
    "study": "words", "model": "m", "spec": "{}", "corpus": "words", "vectors": ["mean"],
    "sites": list(SITES), "cells": ["L0M-8x", "L0M-frozen"],
    "frozen": {"L0M-8x": "none", "L0M-frozen": "decoder"},
}  # fmt: skip
ABOUT = {"label": "kind", "classes": ["a", "b"], "left_out": {}}


def given(**changes):
    of = {
        f"readout_probes.{name}": [tables(site)[name] for site in SITES]
        for name in probed_scores.NAMES
    }
    return of | changes


@pytest.fixture(scope="module")
def section():
    return probed_scores.section(FACTS, given())


def test_the_answer_names_the_best_with_its_null_and_what_codes_add(section):
    plain, coded, added = section.answer
    assert plain.startswith("Of L2 probes the best without an SAE is x at L0M: AUC ")
    assert "with shuffled labels 0." in plain
    assert coded.startswith("Of L2 probes the best of an SAE's codes is codes 8x at L0M: AUC 1.000")
    assert added.endswith("the AUC of the set stays the same with each of 1 SAE.")


def test_a_gain_beyond_its_interval_is_told_as_one():
    gains = tables("L0M")["gains"].to_pylist()
    for row in gains:
        row |= {"gain": 0.2, "gain_low": 0.1, "gain_high": 0.3}
    table = pa.Table.from_pylist(gains, tables("L0M")["gains"].schema)
    changed = given(**{"readout_probes.gains": [table, tables("L0N")["gains"]]})
    last = probed_scores.section(FACTS, changed).answer[-1]
    assert "SAE probes do add" in last and "+0.200 [+0.100, +0.300]" in last


def test_a_gain_within_its_interval_is_told_as_chance():
    gains = tables("L0M")["gains"].to_pylist()
    for row in gains:
        row |= {"gain": 0.01, "gain_low": -0.1, "gain_high": 0.1}
    table = pa.Table.from_pylist(gains, tables("L0M")["gains"].schema)
    changed = given(**{"readout_probes.gains": [table, tables("L0N")["gains"]]})
    last = probed_scores.section(FACTS, changed).answer[-1]
    assert "add nothing that is beyond chance" in last and "of 1 SAE codes 8x at L0M" in last


def test_numbers_of_tables_are_those_of_the_stage(section):
    shown = [block for block in section.blocks if isinstance(block, Table)]
    every = next(block for block in shown if block.caption == "Every probe and vector")
    assert len(every.rows) == sum(tables(site)["probes"].num_rows for site in SITES)
    for block in shown:
        for row in block.rows:
            assert {column.name for column in block.columns} <= set(row)
    main = shown[0]
    row = next(r for r in main.rows if r["described"] == "codes 8x")
    assert row["k1"] == 1 and row["score"].startswith("1.000 [")
    names = {r["described"] for r in main.rows}
    assert names == {"x", "pca", "codes 8x", "codes frozen", "random, as 8x"}


def test_a_refused_probe_is_told_in_its_own_sentence(section):
    (refusal,) = [b for b in section.blocks if isinstance(b, str) and "'Singular matrix'" in b]
    assert refusal.startswith("A probe that was asked for cannot be fitted here. ")


def test_charts_have_a_line_a_description_bars_for_controls_and_a_mark_a_part(section):
    charts = [block for block in section.blocks if isinstance(block, Charts)]
    curves, controls, losses = (block.charts for block in charts)
    assert len(curves) == 2 and len(controls) == 4 and len(losses) == 2
    (of_site, _) = curves
    assert len(re.findall(r'class="(?:line|rest) [\w-]+"', of_site)) == 5
    named = dict(re.findall(r'class="note after drawn ([\w -]+)"[^>]*>([^<]+)<', of_site))
    assert len(named) == 5, "two lines of a chart are drawn alike"
    assert named["is-line is-dotted"] == "codes frozen"
    assert "codes 8x, 1 unit: 1.000" in of_site
    assert sum(map(int, re.findall(r": (\d+)</title>", controls[0]))) == 8
    assert all(f"<title>{part}: " in losses[0] for part in ("x", "x_hat", "codes", "error"))


def test_the_page_holds_the_section_and_text_is_no_markup(monkeypatch):
    name = "saegrid.pages.browser.probed_scores:section"
    monkeypatch.setattr(probed, "SECTIONS", {"probes": name})
    facts = FACTS | {"study": "<i>words", "frozen": {}}
    texts = pa.table({"y": [1.0, 0.0], "type": [0, 1]})
    page = probed.probes_page(facts, ABOUT, texts, given())
    assert "<i>words" not in page and "&lt;i&gt;words" in page
    assert '<section id="probes">' in page and "Can a probe tell the classes apart?" in page
    assert page == probed.probes_page(facts, ABOUT, texts, given())


def test_a_study_without_the_stage_has_no_section_and_one_site_needs_no_codes():
    assert probed_scores.section(FACTS, {}) is None
    of = {f"readout_probes.{name}": [tables("L0N")[name]] for name in probed_scores.NAMES}
    one = probed_scores.section(FACTS | {"sites": ["L0N"]}, of)
    assert len(one.answer) == 1
    assert not any("Does an SAE add" in b for b in one.blocks if isinstance(b, str))
