"""Panels in Chromium: heading, rows and links, on the page of a feature and on the index."""

import pageworld
import pytest
from reading import at, ids

from saegrid.pages.browser.index import index
from saegrid.pages.browser.page import page

pytestmark = pytest.mark.browser
HOSTILE = "</td><img src=x onerror=alert(1)><b>&amp;"


def panel(rows, heading="Folds <i>"):
    return {"name": "folds", "heading": heading, "words": f"each of {HOSTILE}", "rows": rows}


@pytest.fixture(scope="module")
def shown(world, tmp_path_factory):
    """A page on which two features have rows, and another panel has one of them."""
    first, second, third, *_ = ids(world)
    rows = {
        first: [
            {"feature": f"#{second}", "cosine": 0.123456, "n": 3, "href": f"#{second}"},
            {"feature": HOSTILE, "cosine": None, "n": 12_345_678},
        ],
        second: [{"feature": "outside", "href": "javascript:alert(1)"}],
        third: [{"feature": "spaced", "href": " javascript:alert(1)"}],
    }
    panels = [panel(rows), panel({second: [{"a": "b"}]}, "Other")]
    path = tmp_path_factory.mktemp("panels") / "features.html"
    path.write_text(page(**world, panels=panels), encoding="utf-8", newline="\n")
    return path


def test_a_feature_has_its_rows_under_the_heading(visit, shown, world):
    tab = visit(shown)
    first, second, *_ = ids(world)
    at(tab, first)
    section = tab.get_by_role("region", name="Folds <i>")
    assert section.locator("h3").inner_text() == "Folds <i>"
    assert section.locator("p").inner_text() == f"each of {HOSTILE}"
    assert section.locator("th").all_inner_texts() == ["feature", "cosine", "n"]
    rows = [line.split("\t") for line in section.locator("tbody").inner_text().split("\n")]
    assert rows == [[f"#{second}", "0.1235", "3"], [HOSTILE, "–", "12350000"]]
    assert section.locator("img, b, i").count() == 0
    assert tab.get_by_role("region", name="Other").count() == 0


def test_a_link_goes_to_the_feature(visit, shown, world):
    tab = visit(shown)
    first, second, *_ = ids(world)
    at(tab, first)
    tab.get_by_role("region", name="Folds <i>").locator("a").click()
    at(tab, second)
    assert tab.get_by_role("region", name="Other").locator("td").inner_text() == "b"


def test_a_link_that_runs_something_is_text(visit, shown, world):
    tab = visit(shown)
    second = ids(world)[1]
    tab.evaluate(f"location.hash = '#{second}'")
    at(tab, second)
    section = tab.get_by_role("region", name="Folds <i>")
    assert section.locator("td").inner_text() == "outside"
    assert section.locator("a").count() == 0


def test_a_link_that_begins_with_a_space_runs_nothing(visit, shown, world):
    tab = visit(shown)
    third = ids(world)[2]
    tab.evaluate(f"location.hash = '#{third}'")
    at(tab, third)
    links = tab.get_by_role("region", name="Folds <i>").locator("a")
    assert links.evaluate_all("list => list.filter(a => a.protocol === 'javascript:').length") == 0


def test_features_without_rows_have_no_panel(visit, shown, world):
    tab = visit(shown)
    fourth = ids(world)[3]
    tab.evaluate(f"location.hash = '#{fourth}'")
    at(tab, fourth)
    assert tab.locator(".panel").count() == 0


def test_the_index_has_a_table_that_sorts(visit, tmp_path):
    rows = [
        {"feature": "#7", "AUC": 0.9, "href": "up/cells/L8A-8x/features.html#7"},
        {"feature": HOSTILE, "AUC": 0.25},
        {"feature": "#9", "AUC": 0.5, "href": "up/cells/L8M-8x/features.html#9"},
    ]
    path = tmp_path / "index.html"
    text = index(pageworld.STUDY, pageworld.cells(), pageworld.CORPORA, (), (), [panel(rows)])
    path.write_text(text, encoding="utf-8")
    tab = visit(path)
    section = tab.locator("#folds")
    assert section.locator("h2").inner_text() == "Folds <i>"
    assert section.locator("tbody td:first-child").all_inner_texts() == ["#7", HOSTILE, "#9"]
    assert section.locator("a").evaluate_all("list => list.map(a => a.getAttribute('href'))") == [
        row["href"] for row in rows if "href" in row
    ]
    section.get_by_role("button", name="AUC").click()
    column = [float(x) for x in section.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert column in (sorted(column), sorted(column, reverse=True))
    section.get_by_role("button", name="AUC").click()
    other = [float(x) for x in section.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert other == column[::-1]
    assert section.locator("img, b, i").count() == 0
