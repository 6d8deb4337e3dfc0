"""Panels: tables that stages show, on pages and on the index."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from saegrid.base import io
from saegrid.pages.browser.index import index
from saegrid.pages.browser.page import page
from saegrid.pages.browser.panels import columns, of_features, read_panels

sys.path.append(str(Path(__file__).parents[1] / "browser"))
import pageworld
from reading import Document, ids

HOSTILE = "</td></script><script>alert(1)</script><b>&amp;"
FACTS = {"name": "folds", "heading": "Folds <i>", "words": "score & words"}


def by_feature(table):
    """Rows of each feature of a table."""
    found = {}
    for row in table.to_pylist():
        found.setdefault(row.pop("feature"), []).append(row)
    return found


def test_panels_are_read_by_their_functions(tmp_path, monkeypatch):
    table = pa.table({"feature": [7, 7, 9], "fold": [1, 2, 1], "AUC": [0.5, 0.75, 0.25]})
    io.write_table(tmp_path / "probe.parquet", table)
    monkeypatch.setattr(io, "by_feature", by_feature, raising=False)
    panel = {**FACTS, "of": "saegrid.base.io:by_feature", "table": "probe.table", "file": "x"}
    (found,) = read_panels([panel], [str(tmp_path / "probe.parquet")])
    assert found == {
        **FACTS,
        "rows": {
            7: [{"fold": 1, "AUC": 0.5}, {"fold": 2, "AUC": 0.75}],
            9: [{"fold": 1, "AUC": 0.25}],
        },
    }
    assert read_panels((), ()) == []
    with pytest.raises(ValueError):
        read_panels([panel], [])


def test_rows_of_each_feature():
    """In the order of the panels; nothing of a feature that none of them knows."""
    panels = [
        {**FACTS, "rows": {3: [{"a": 1, "b": "x"}], 5: [{"a": 2}]}},
        {**FACTS, "rows": {5: [{"c": 0.5, "href": "#3"}]}},
    ]
    found = of_features(panels, np.array([5, 4, 3]))
    assert found.type == pa.string()
    assert [text and json.loads(text) for text in found.to_pylist()] == [
        [[{"a": 2}], [{"c": 0.5, "href": "#3"}]],
        None,
        [[{"a": 1, "b": "x"}], []],
    ]
    assert of_features([], np.array([1, 2])).to_pylist() == [None, None]
    assert of_features(panels, np.array([], np.int64)).to_pylist() == []


def test_numbers_that_json_does_not_have_are_refused():
    with pytest.raises(ValueError):
        of_features([{**FACTS, "rows": {1: [{"a": float("nan")}]}}], np.array([1]))


def test_columns_come_as_they_are_met():
    rows = [{"b": 1, "href": "#1"}, {"a": 2, "b": 3}, {"c": 4}]
    assert columns(rows) == ["b", "a", "c"]
    assert columns([]) == []


@pytest.fixture(scope="module")
def world():
    return pageworld.world()


def test_a_page_holds_the_rows_of_its_features(world):
    shown = ids(world)[:2]
    rows = {shown[0]: [{"fold": 1, "AUC": 0.5}], shown[1]: [{"fold": HOSTILE, "AUC": 1}], -1: []}
    document = Document(page(**world, panels=[{**FACTS, "rows": rows}]))
    assert document.open("index")["panels"] == [["Folds <i>", "score & words"]]
    bodies = document.chunks("f")
    assert [body.get("y") for body in bodies[:3]] == [[rows[shown[0]]], [rows[shown[1]]], None]
    assert HOSTILE not in document.text and not {"b", "i"} & set(document.tags)


def test_a_page_without_panels_is_as_before(world):
    """No heading stands there, and every feature has no rows."""
    document = Document(page(**world))
    assert document.open("index")["panels"] == []
    assert not [body for body in document.chunks("f") if "y" in body]
    assert page(**world, panels=[]) == page(**world)


def test_the_same_panels_give_the_same_bytes(world):
    panels = [{**FACTS, "rows": {ids(world)[0]: [{"a": 1}]}}]
    assert page(**world, panels=panels) == page(**world, panels=panels) != page(**world)


ROWS = [
    {"feature": "#1216", "AUC": 0.875, "href": "up/cells/L8A-8x/features.html#1216"},
    {"feature": HOSTILE, "note": HOSTILE},
]


def of_the_index(rows, **changes):
    """The index with a panel of these rows."""
    panels = [{**FACTS, "rows": rows}] if rows is not None else []
    return index(
        pageworld.STUDY, pageworld.cells(), pageworld.CORPORA, (), **changes, panels=panels
    )


def test_the_index_has_the_panel_of_the_study():
    text = of_the_index(ROWS)
    document = Document(text)
    assert "up/cells/L8A-8x/features.html#1216" in document.links
    section = text.partition('<section id="folds">')[2].partition("</section>")[0]
    assert re.findall(r"<button>(.*?)</button>", section) == ["feature", "AUC", "note"]
    assert "<h2>Folds &lt;i&gt;</h2>" in section and "score &amp; words" in section
    entries = re.findall(r"<td [^>]*>(.*?)</td>", section)
    assert len(entries) == 6 and entries[1:3] == ["0.875", "–"]


def test_text_of_a_panel_is_never_markup_on_the_index():
    text = of_the_index(ROWS)
    assert HOSTILE in Document(text).text, "as text"
    assert not {"b", "i"} & set(Document(text).tags)
    assert text.count("<script") == of_the_index(None).count("<script")


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", " javascript:alert(1)", "//evil.example/x"]
)
def test_a_link_of_a_panel_leads_nowhere_else(href):
    try:
        links = Document(of_the_index([{"feature": "x", "href": href}])).links
    except ValueError:
        links = []  # refused
    assert not [link for link in links if "alert" in link or "evil" in link]


def test_what_is_not_known_is_a_dash_on_the_index():
    text = of_the_index([{"feature": "#1", "AUC": None}])
    section = text.partition('<section id="folds">')[2].partition("</section>")[0]
    assert re.findall(r"<td [^>]*>(.*?)</td>", section)[1] == "–"


def test_a_column_of_a_stage_stands_beside_the_others():
    """Its number in its format, its definition where the heading is pointed at."""
    cells = pageworld.cells()
    cells = cells.append_column("auc", pa.array([i / len(cells) for i in range(len(cells))]))
    column = ["auc", "AUC <b>", "{:.2f}", "held-out & AUC"]
    text = index(pageworld.STUDY, cells, pageworld.CORPORA, (), [column])
    assert "AUC &lt;b&gt;" in text and 'title="held-out &amp; AUC"' in text
    first = re.findall(r"<tr>.*?</tr>", text.partition('id="cells"')[2], re.S)[1]
    assert ">0.00<" in re.sub(r"\s+", "", first)
    plain = index(pageworld.STUDY, cells, pageworld.CORPORA, ())
    assert "AUC" not in plain
