"""The sections of probes.html on units and on localisation: sentences, tables, charts."""

import re

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from saegrid.evidence.probes.labelled import Described, Words
from saegrid.evidence.probes.problem import folds
from saegrid.evidence.units import local_table, table
from saegrid.pages.browser import probed_lines, probed_localisation, probed_units
from saegrid.pages.browser.probed import Charts, Table, probes_page

N = 60
CELLS = {"L1R-a": "a", "L1R-b": "a", "L1R-c": "a", "L1R-frozen": "frozen"}
FACTS = {
    "study": "words", "vectors": ["mean", "last"], "sites": ["L1R", "L1N"], "cells": list(CELLS),
    "frozen": {cell: "decoder" if cell == "L1R-frozen" else "none" for cell in CELLS},
    "corpus": "own words",
}  # fmt: skip


def words():
    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(N) < N // 2) * 1.0)
    text = [f"<b>{'she' if one else 'he'}{i}" for i, one in enumerate(y)]
    type = np.arange(N)
    return Words(text, y, ("he", "she"), type, type * 0 + 1, folds(type, y, 3, 0, "readout"))


def described(y, site):
    """x with the label in a channel; seeds with a feature of it, a frozen SAE without."""
    rng = np.random.default_rng(1)
    x = {name: rng.normal(size=(N, 6)) for name in FACTS["vectors"]}
    for one in x.values():
        one[:, 0] += 3 * y
    out = [Described("x", site, None, name, one) for name, one in x.items()]
    for cell in CELLS if site == "L1R" else ():
        z = rng.exponential(1, (N, 20)) * (rng.random((N, 20)) < 0.2)
        z[:, 19] = 0
        if cell != "L1R-frozen":
            z[:, 3] = y * rng.uniform(1, 2, N)
        codes = sparse.csc_matrix(z)
        out += [Described("codes", site, cell, name, codes, one * 0.9) for name, one in x.items()]
    return x, out


@pytest.fixture(scope="module")
def tables():
    units = {"permutations": 100, "alpha": 1e-5, "level": 0.05, "listed": 3, "draws": 100}
    local = {
        "ks": [1, 5], "draws": 20, "candidates": 6, "choices": 1, "shuffles": 0, "halves": 10,
        "selected": 2, "threshold": 0.75, "share": 0.9, "l2": [1e-3], "groups": CELLS,
    }  # fmt: skip
    own, of = words(), {}
    for site in FACTS["sites"]:
        x, every = described(own.y, site)
        made = table.of_site(own, every, site, units | {"seed": 0})
        for name in ("summary", "listed", "histograms", "power"):
            of.setdefault(f"readout_units.{name}", []).append(getattr(made, name))
        made = local_table.of_site(own, every, x, local | {"seed": 0})
        for name, one in made._asdict().items():
            of.setdefault(f"readout_localisation.{name}", []).append(one)
    return of


def test_units_are_summed_up_in_sentences(tables):
    made = probed_units.section(FACTS, tables)
    (sentence,) = made.answer
    assert sentence.startswith("Unit by unit at L1R, Welch's test as published finds 1 of 6 chan")
    assert "1 of 20 features, 0 of 20 features of a frozen SAE" in sentence
    assert "6e-05 channels, 0.0002 features" in sentence
    assert re.search(r"\d+ (and|to)? ?\d* ?features fire on too few texts", sentence)


def test_rows_of_the_first_vector_come_first_and_others_are_folded(tables):
    for module in (probed_units, probed_localisation):
        blocks = [b for b in module.section(FACTS, tables).blocks if isinstance(b, Table)]
        first, other = blocks[:2]
        assert {row["vector"] for row in first.rows} == {"mean"} and not first.is_folded
        assert {row["vector"] for row in other.rows} == {"last"} and other.is_folded
        for block in blocks:
            for row in block.rows:
                assert {column.name for column in block.columns} <= set(row), block.caption
    named = [row["where"] for row in first.rows]
    assert named == [
        "L1R, channels",
        "L1R-a",
        "L1R-b",
        "L1R-c",
        "L1R-frozen, frozen",
        "L1N, neurons",
    ]


def test_features_lead_to_their_pages_and_channels_nowhere(tables):
    lists = {table.caption.split(":")[0]: table.rows for table in probed_units.lists(FACTS, tables)}
    for name, rows in lists.items():
        for row in rows:
            cell = name.removeprefix("Units of ").removesuffix(", frozen")
            page = f"own%20words/cells/{cell}/features.html#{row['unit']}"
            assert row.get("href") == (page if cell in CELLS else None)
    assert "Units of L1R-a" in lists and "Units of L1R, channels" in lists


def test_charts_have_every_description_once_and_neurons_of_the_layer(tables):
    made = probed_localisation.section(FACTS, tables)
    (charts,) = (b for b in made.blocks if isinstance(b, Charts))
    assert len(charts.charts) == 2  # all candidates, and as many of each
    notes = re.findall(r'class="note after drawn [\w -]+"[^>]*>([^<]+)<', charts.charts[0])
    assert notes == ["channels", "neurons", "features", "frozen SAE"]
    assert charts.charts[0].count('class="band"') == 1
    (drawn,) = (b for b in probed_units.section(FACTS, tables).blocks if isinstance(b, Charts))
    assert len(drawn.charts) == 6  # three of each site
    assert "20 units" not in drawn.charts[0] and "19 units" in drawn.charts[0]  # one is silent


def test_the_metric_is_ranked_only_outside_the_band(tables):
    made = probed_localisation.section(FACTS, tables)
    (block,) = (
        b
        for b in made.blocks
        if isinstance(b, Table) and b.columns[0].name == "cell" and not b.is_folded
    )
    verdicts = {(row["cell"], row["k"]): row["verdict"] for row in block.rows}
    assert verdicts["L1R-a", 1].startswith("one of 3,")
    assert verdicts["L1R-frozen, frozen", 1].startswith("below ")
    assert (
        "for 3 SAEs that differ in their seed alone; of one with a frozen part it is"
        in made.answer[1]
    )


def test_an_undefined_metric_is_said_so(tables):
    rows = {
        name: [r for t in tables[output] for r in t.to_pylist()]
        for name, output in probed_localisation.OUTPUTS.items()
    }
    reason = "x does not tell the classes apart: AUROC 0.510, interval from 0.4"
    rows["metric"] = [r | {"value": None, "reason": reason} for r in rows["metric"]]
    (sentence,) = probed_localisation.verdict(FACTS, rows, "L1R")
    assert sentence == f"The combined metric is not defined at L1R: {reason}."
    assert probed_localisation.metric(FACTS, rows)[0]["verdict"] == reason


def test_words_of_a_corpus_are_text(tables):
    own = words()
    texts = pa.table(
        {
            "y": own.y,
            "type": own.type,
            "text": own.text,
            "label": [own.classes[int(v)] for v in own.y],
        }
    )
    facts = FACTS | {"model": "m", "spec": "s", "corpus": "c"}
    about = {"classes": ["he", "she"], "label": "gender", "left_out": {}}
    page = probes_page(facts, about, texts, tables)
    assert "&lt;b&gt;she" in page and "<b>she" not in page
    assert page == probes_page(facts, about, texts, tables)
    assert 'id="units"' in page and 'id="localisation"' in page


def test_without_tables_there_is_no_section():
    assert probed_units.section(FACTS, {}) is None
    assert probed_localisation.section(FACTS, {}) is None


@pytest.mark.parametrize(
    ("values", "words"), [([3], "3"), ([3, 3], "3"), ([3, 1], "3 and 1"), ([5, 1, 3], "1 to 5")]
)
def test_several_numbers_in_a_sentence(values, words):
    assert probed_lines.several(values) == words
