"""The page of the map in Chromium: keys walk in maps, the search finds, all fits a telephone."""

import re

import numpy as np
import pytest

from charting import HOSTILE, charted, grid, judged, page_of
from saegrid.meaning.atlas import atlas

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cells():
    return grid()


@pytest.fixture(scope="module")
def made(cells):
    return atlas(cells, 0.05)


@pytest.fixture(scope="module")
def where(cells, made, tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "map.html"
    path.write_text(page_of(cells, made), encoding="utf-8", newline="\n")
    return path


@pytest.fixture
def tab(visit, where):
    tab = visit(where, reduced_motion="reduce")
    tab.wait_for_selector("body[data-drawn]", timeout=60_000)
    return tab


@pytest.fixture
def rows(cells):
    """The rows of all cells' concepts.parquet."""
    return [{**row, "cell": one.cell} for one in cells for row in one.concepts.to_pylist()]


def found(tab):
    """Number of features that match."""
    words = tab.locator("#count").inner_text()
    return (
        0
        if words == "no feature matches"
        else int(words.split(" of ")[1].split()[0].replace(",", ""))
    )


def begins(row, term):
    """True where a word of what the page shows of a feature begins with a term."""
    is_form = row["kind"] not in ("meaning", "coherent", "none")
    shown = [row["words"], row["kind"], row["cell"], row["label"] if is_form else None]
    if not is_form:
        shown += [row["concept"], row["lexicon"], row["concept"].split(".")[-1]]
    words = re.split(r"[^\w]+", " ".join(one for one in shown if one).lower())
    return any(word.startswith(term) for word in words)


def test_it_opens_with_the_features_of_the_smallest_p(tab, rows):
    assert found(tab) == len(rows)
    assert tab.locator("#rows tr.row").count() == 25
    known = [row for row in rows if row["kind"] in ("meaning", "coherent", "none")]
    first = min(known, key=lambda row: row["log10_p"])
    link = tab.locator("#rows tr.row a").first
    assert link.inner_text() == f"{first['cell']} #{first['feature']}"
    assert (
        link.get_attribute("href")
        == f"up%3C/cells/{first['cell']}/features.html#{first['feature']}"
    )
    tab.locator("#more").click()
    assert tab.locator("#rows tr.row").count() == 125


@pytest.mark.parametrize("query", ["WIG", "hair wig", "food", "starts", "coherent", "sum", "zzzz"])
def test_every_word_must_be_there(tab, rows, query):
    tab.locator("#search").fill(query)
    assert found(tab) == sum(
        all(begins(row, term) for term in query.lower().split()) for row in rows
    )


def test_cells_and_features_are_found_by_their_names(tab, rows):
    one = rows[700]
    tab.locator("#search").fill(f"{one['cell']} #{one['feature']}")
    assert found(tab) == 1
    assert tab.locator("#rows tr.row a").first.inner_text() == f"{one['cell']} #{one['feature']}"
    tab.locator("#search").fill(f"{one['cell'].lower()}#{one['feature']}")
    assert found(tab) == 1
    tab.locator("#search").fill(f"#{one['feature']}")
    assert found(tab) == sum(row["feature"] == one["feature"] for row in rows)
    tab.locator("#search").fill("L4R")
    assert found(tab) == sum(row["cell"].startswith("L4R") for row in rows)


def test_filters_and_orders(tab, rows):
    tab.locator("#by-kind").select_option("meaning")
    tab.locator("#by-layer").select_option("8")
    tab.locator("#by-position").select_option("R")
    inside = [r for r in rows if r["kind"] == "meaning" and r["cell"].startswith("L8R")]
    assert found(tab) == len(inside)
    tab.locator("#by-order").select_option("share")
    shares = tab.locator("#rows tr.row td:nth-child(4)").all_inner_texts()
    n = [int(text.split(" of ")[0]) for text in shares]
    assert n == sorted(n, reverse=True) and n[0] == max(row["n_concept"] for row in inside)
    label = tab.locator("#by-concept optgroup").nth(1).locator("option").first.inner_text()
    tab.locator("#by-concept").select_option(label=label)
    assert found(tab) == sum(r["concept"].split(".")[-1] == label and r["lexicon"] == "wordnet"
                             for r in inside)  # fmt: skip
    tab.locator("#clear").click()
    assert found(tab) == len(rows)
    tab.locator("#by-order").select_option("place")
    assert tab.locator("#rows tr.row a").first.inner_text().startswith("L0A-32x #")


def test_the_first_of_each_cell(tab, rows):
    tab.locator("#by-kind").select_option("meaning")
    tab.locator("#by-layer").select_option("8")
    while tab.locator("#more").is_visible():
        tab.locator("#more").click()
    first = {}
    for text in tab.locator("#rows tr.row a").all_inner_texts():
        first.setdefault(text.split(" #")[0], text)
    tab.locator("#per-cell").select_option("1")
    assert 1 < len(first) == found(tab) < len(rows)
    shown = tab.locator("#rows tr.row a").all_inner_texts()
    assert shown == list(first.values())[: len(shown)]
    tab.locator("#clear").click()
    assert found(tab) == len(rows)


def test_a_link_opens_with_a_search(visit, where, rows):
    tab = visit(where)
    tab.goto(f"{where.as_uri()}#find=hair")
    tab.reload()
    tab.wait_for_selector("body[data-searchable]")
    assert tab.locator("#search").input_value() == "hair"
    assert found(tab) == sum(begins(row, "hair") for row in rows)


def test_a_map_is_one_stop_and_arrows_walk_inside(tab):
    maps = tab.locator("table.map")
    assert maps.count() == 5
    assert (
        maps.evaluate_all(
            "list => list.map((one) => one.querySelectorAll('[tabindex=\"0\"]').length)"
        )
        == [1] * 5
    )
    first = maps.first.locator("a.tile").first
    first.focus()
    label = first.get_attribute("aria-label")
    assert label.split(",")[0] in tab.locator("#readout").inner_text()
    seen = [label]
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "End", "Home"):
        tab.keyboard.press(key)
        assert tab.evaluate("document.activeElement.tabIndex") == 0
        seen.append(tab.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert len(set(seen)) >= 6
    assert maps.first.locator('a.tile[tabindex="0"]').count() == 1
    href = tab.evaluate("document.activeElement.getAttribute('href')")
    assert re.fullmatch(r"up%3C/cells/L\dR-8x/features\.html#\d+", href)


def test_arrows_leap_over_cells_that_are_not_there(tab):
    last = tab.locator("table.map").last
    assert last.locator(".tile.gone").count() > 0
    last.locator("a.tile").first.focus()
    tab.keyboard.press("End")
    before = tab.evaluate("document.activeElement.getAttribute('aria-label')")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == before


def test_tiles_say_their_figures(tab, made):
    row = next(r for r in made.map.to_pylist() if r["of_meaning"] and r["cell"] == "L8R-8x")
    tile = tab.locator(f'a.tile[href$="/{row["cell"]}/features.html#{row["feature"]}"]').first
    label = tile.get_attribute("aria-label")
    low, high = (f"{100 * row[f'share_{end}']:.0f}" for end in ("low", "high"))
    assert f"{row['n_concept']} of {row['n_shown']} ({low} to {high} %)" in label
    p = float(f"{row['p_grid']:.2g}")
    assert f"over all cells {p:g}" in label and "of meaning" in label
    assert "yes" in tile.get_attribute("class")
    assert tile.inner_text() == str(round(100 * row["share"]))


def test_concepts_that_no_cell_shows_are_folded(visit, tmp_path, cells):
    never = [
        one._replace(smallest=one.smallest - 30) if one.cell != "L8R-8x" else one for one in cells
    ]
    concepts = [("english", "food"), ("english", "body")]
    path = tmp_path / "map.html"
    path.write_text(page_of(grid(concepts=concepts, layers=(0, 8), n=50)), encoding="utf-8")
    tab = visit(path)
    tab.wait_for_selector("body[data-drawn]")
    path.write_text(page_of(never), encoding="utf-8")
    tab.reload()
    tab.wait_for_selector("body[data-drawn]")
    names = tab.locator("table.map").first.locator("tbody th button:visible")
    assert names.count() == 0
    fold = tab.locator("#fold")
    assert fold.inner_text() == "Maps of the 7 concepts that no cell shows"
    assert tab.locator("#unshown").is_visible() and tab.locator("#maps").is_hidden()
    framed = tab.locator("a.tile.yes").count() > 0
    words = "Only SAEs of which a part stayed" if framed else "No cell shows a concept"
    assert tab.locator("#unshown").inner_text().startswith(words)
    fold.click()
    assert tab.locator("#maps").is_visible() and tab.locator("#readout").is_visible()
    assert names.count() == 7 and fold.get_attribute("aria-expanded") == "true"
    assert tab.locator("table.map").first.locator('a.tile[tabindex="0"]').count() == 1
    fold.click()
    assert names.count() == 0


def test_a_name_finds_the_features_of_its_concept(tab, rows):
    button = tab.locator("table.map tbody th button", has_text="animal").first
    button.click()
    assert found(tab) == sum(
        row["concept"] == "noun.animal" and row["kind"] in ("meaning", "coherent", "none")
        for row in rows
    )


def test_texts_that_look_like_markup_are_text(tab):
    tab.locator("#search").fill("script")
    assert (
        HOSTILE in tab.locator("#rows td.words").first.inner_text()
        or HOSTILE in tab.locator("#rows td.what").first.inner_text()
    )
    assert HOSTILE in tab.locator("table.map").first.inner_text()
    assert tab.locator("main b, main script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen(visit, where, width, scheme):
    tab = visit(where, color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 850})
    tab.wait_for_selector("body[data-drawn]")
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for box in tab.locator(".plot, .map, .features").evaluate_all(
        "list => list.map((one) => one.getBoundingClientRect().right)"
    ):
        assert box <= width
    paper, ink = tab.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    bright = [sum(map(int, color[4:-1].split(","))) for color in (paper, ink)]
    assert (bright[0] > bright[1]) == (scheme == "light")


def test_the_prose_stands_without_a_script(where, chromium, made):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(where.as_uri())
    assert f"{made.facts['result']['n_meaning_grid']:,}" in tab.locator("h1").inner_text()
    assert tab.locator(".plot svg").count() >= 8
    context.close()


def test_a_study_without_a_concept_or_a_feature_opens(visit, tmp_path):
    path = tmp_path / "map.html"
    path.write_text(page_of(grid(concepts=(), layers=(3,), frozen=False)), encoding="utf-8")
    tab = visit(path)
    tab.wait_for_selector("body[data-drawn]")
    assert found(tab) == 900 and tab.locator("table.map").count() == 0
    path.write_text(page_of([charted("L3R-8x", judged(), [], np.zeros(19))]), encoding="utf-8")
    tab.reload()
    tab.wait_for_selector("body[data-drawn]")
    assert tab.locator("#wait").inner_text() == "No feature was judged."
    assert tab.locator("#filters").is_hidden()


def test_concepts_are_chosen_by_lexicon_in_the_order_of_these(tab):
    labels = tab.locator("#by-concept optgroup").evaluate_all(
        "list => list.map((one) => one.label)"
    )
    assert labels == ["english", "WordNet's lexicographers", "categories"]
