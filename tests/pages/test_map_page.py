"""The page of the map: its numbers are those of the tables, and no text becomes markup."""

import base64
import gzip
import json
import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from reading import Document

from charting import FACTS, HOSTILE, best, charted, grid, judged, page_of
from saegrid.meaning.atlas import atlas
from saegrid.pages.browser.index import index
from saegrid.pages.browser.mapped import CELLS
from saegrid.pages.browser.mapped_drawn import curves, tiles
from saegrid.pages.browser.mapped_said import answers
from saegrid.pages.browser.sentences import at

NUMBER = re.compile(r'<a class="num" href="([^"]*)" title="([^"]*)">([^<]*)</a>')
FACT = re.compile(
    r'<tr id="([^"]*)"><th scope="row">[^<]*</th><td class="n">([^<]*)</td>'
    r"<td><code>([^<]*)</code></td></tr>"
)
UP = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


@pytest.fixture(scope="module")
def cells():
    return grid()


@pytest.fixture(scope="module")
def made(cells):
    return atlas(cells, 0.05)


@pytest.fixture(scope="module")
def page(cells, made):
    return page_of(cells, made)


def value(text):
    """The number that a text says."""
    plain = unescape(text).replace(",", "").replace("< ", "")
    if match := re.fullmatch(r"(?:(\d) × )?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", plain):
        return float(match[1] or 1) * 10.0 ** int(match[2].translate(UP))
    return float(plain.removesuffix(" %")) / (100 if plain.endswith("%") else 1)


def is_near(text, wanted):
    """True where a text says a number to the digits that it has."""
    return value(text) == pytest.approx(wanted, rel=0.5 if "10⁻" in text else 0.05)


def test_every_number_of_the_prose_is_that_of_its_table(page, made, cells):
    numbers = NUMBER.findall(page)
    assert len(numbers) > 15
    for _, source, text in numbers:
        path = unescape(source).removeprefix("concept_map.json: ")
        if path == unescape(source):
            assert value(text) == sum(one.concepts.num_rows for one in cells)
            continue
        path, _, below = path.partition(" / ")
        wanted = at(made.facts, path) / (at(made.facts, below) if below else 1)
        if path.split(".")[-1] in ("level", "luckiest", "median"):
            wanted = 10.0**wanted
        assert is_near(text, wanted), (source, text, wanted)


def test_every_number_leads_to_a_row_that_says_the_same(page):
    rows = {anchor: (text, source) for anchor, text, source in FACT.findall(page)}
    assert len(rows) > 20
    for href, source, text in NUMBER.findall(page):
        shown, of = rows[unescape(href).removeprefix("#")]
        if " / " not in source:
            assert (shown, of) == (text, source)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids)), "an id stands once"


def test_no_digit_of_the_answer_is_typed(page):
    answer = page.partition("<h1>")[2].partition("</dl>")[0]
    assert not re.search(r"\d", re.sub(r"<[^>]*>", " ", NUMBER.sub("", answer)))


def test_counts_are_those_of_the_cells(made, cells):
    """Independently of the tables: from concepts.parquet of each cell."""
    own = [one for one in cells if one.frozen == "none"]
    result = made.facts["result"]
    assert result["n_cells"] == len(own)
    for kind in ("meaning", "coherent", "none"):
        assert result[f"n_{kind}"] == sum(
            one.concepts["kind"].to_pylist().count(kind) for one in own
        )
    smallest = np.min([one.smallest for one in own], axis=0)
    passed = sum(
        (1 + (smallest <= row["log10_p"] + 1e-9).sum()) / 201 <= 0.05
        for one in own
        for row in one.concepts.select(["kind", "log10_p"]).to_pylist()
        if row["kind"] == "meaning"
    )
    assert result["n_meaning_grid"] == passed > 0


def test_the_maps_have_a_tile_for_each_concept_and_cell(made):
    data = tiles("up<", made.map, made.by_cell.to_pylist())
    assert [(one["position"], one["sae"], one["frozen"]) for one in data["maps"]] == [
        ("Residual stream", "8x", "none"),
        ("Residual stream", "32x", "none"),
        ("Residual stream", "frozen", "decoder"),
        ("Attention output", "8x", "none"),
        ("Attention output", "32x", "none"),
    ]
    assert data["maps"][-1]["cells"][-1] is None, "a cell that is not made"
    assert data["layers"] == [0, 4, 8]
    columns = data["tiles"]
    rows = {(row["cell"], row["lexicon"], row["concept"]): row for row in made.map.to_pylist()}
    assert len(columns["cell"]) == len(rows)
    for number, cell in enumerate(columns["cell"]):
        lexicon, concept, title, _ = data["concepts"][columns["concept"][number]]
        row = rows[data["cells"][cell][0], lexicon, concept]
        assert title == row["title"]
        for name, of in (("feature",) * 2, ("n", "n_concept"), ("n_shown",) * 2):
            assert columns[name][number] == row[of]
        n, k = columns["n_shown"][number], columns["n"][number]
        ends = data["low"][n][k], data["high"][n][k]
        assert ends == pytest.approx((row["share_low"], row["share_high"]), abs=1e-6)
        assert columns["p_grid"][number] == pytest.approx(row["p_grid"], abs=1e-6)
        assert columns["of_meaning"][number] == row["of_meaning"]


def test_concepts_come_by_lexicon_and_those_that_most_cells_show_first(made):
    data = tiles("up<", made.map, made.by_cell.to_pylist())
    lexicons = [one[0] for one in data["concepts"]]
    assert lexicons == sorted(lexicons, key=["english", "wordnet", "categories"].index)
    counts = {}
    for row in made.map.to_pylist():
        if row["of_meaning"] and row["frozen"] == "none":
            key = row["lexicon"], row["concept"]
            counts[key] = counts.get(key, 0) + 1
    for lexicon in set(lexicons):
        own = [counts.get((a, b), 0) for a, b, *_ in data["concepts"] if a == lexicon]
        assert own == sorted(own, reverse=True)
    assert all(shown == bool(counts.get((a, b))) for a, b, _, shown in data["concepts"])


def test_curves_are_of_the_table_of_cells(made, page):
    groups = curves(made.by_cell.to_pylist())
    assert [group["title"] for group in groups] == [
        "Meaning", "Coherent", "Form", "Concepts against forms",
    ]  # fmt: skip
    assert [name for name, _ in groups[0]["charts"]] == ["Residual stream", "Attention output"]
    chart = str(groups[0]["charts"][0][1])
    for row in made.by_cell.to_pylist():
        if row["position"] == "R":
            words = (
                f"{row['sae']}, layer {row['layer']}: {row['n_meaning_grid']} of {row['n_judged']}"
            )
            assert words in chart
    assert 'class="rest' in chart, "frozen ones in grey"
    one = [row for row in made.by_cell.to_pylist() if row["layer"] == 4]
    assert curves(one) == [], "of one layer there is no curve"


def test_a_position_of_one_layer_has_no_curve(made):
    rows = made.by_cell.to_pylist()
    low = min(row["layer"] for row in rows if row["position"] == "R")
    kept = [row for row in rows if row["position"] != "R" or row["layer"] == low]
    names = {name for group in curves(kept) for name, _ in group["charts"]}
    assert names == {"Attention output"}
    few = [row for row in kept if row["position"] == "R" or row["layer"] == 4]
    assert len({row["layer"] for row in few}) > 1 and curves(few) == []


def test_the_table_of_cells_has_every_cell(made, page):
    document = Document(page)
    for row in made.by_cell.to_pylist():
        assert f"up%3C/cells/{row['cell']}/features.html" in document.links
        assert f'data-sort="{row["n_judged"]}">{row["n_judged"]:,}</td>' in page
    assert all(f'title="{name}: ' in page for name in CELLS)


def test_text_of_the_study_is_never_markup(page):
    document = Document(page)
    assert HOSTILE not in page and "</script><b>" not in page and "<b>" not in page
    assert set(document.scripts) == {"tiles", "head", "body", "script", "style"}
    head = document.open("head")
    assert any(HOSTILE in word for word in head["words"])
    assert any(HOSTILE in text for one in document.open("tiles")["concepts"] for text in one[:3])
    assert "default-src 'none'" in page
    assert "ma<de" in document.text and "toy & model" in document.text
    assert document.metas["saegrid-spec"] == FACTS["spec"]


def test_the_same_tables_give_the_same_bytes(cells, page):
    assert page == page_of(grid())
    assert page_of(cells, most=10) != page


def test_what_was_not_run_says_how_to_get_it(cells):
    own = [one for one in cells if one.frozen == "none"]
    text = re.sub(r"\s+", " ", Document(page_of(own)).text)
    assert "Not run: add an SAE with freeze: decoder to the grid." in text
    assert "frozen decoder" not in text


def test_what_is_not_there_is_not_counted_among(made):
    own = made.facts["result"] | {"n_meaning_grid": 0, "n_concepts_grid": 0, "n_coherent": 1}
    facts = made.facts | {"result": own, "n_concepts": 1}
    lines = {line.heading: str(line.sentences[0]) for line in answers(facts)}
    assert lines["Named"].endswith(
        "The lexicons have 1 concept of which enough different words stand in these texts."
    )
    assert lines["Nameless"].startswith("1 fires on words that are nearer")


def test_what_frozen_saes_give_stands_beside(made):
    lines = {line.heading: str(line.sentences[0]) for line in answers(made.facts)}
    frozen, result = made.facts["frozen"], made.facts["result"]
    assert f"Of {frozen['n_judged']} features in 1 SAE of which" in lines["Frozen SAEs"]
    assert lines["In short"].startswith(
        f"{result['n_meaning_grid']} of {result['n_judged']:,} features are about something"
    )
    assert f"{result['n_reached']} of the deals reached" in lines["By chance"]


def test_a_study_without_a_concept_has_a_page():
    cells = grid(concepts=(), layers=(3,), frozen=False)
    page = page_of(cells)
    text = re.sub(r"\s+", " ", Document(page).text)
    assert "There is no concept to be mapped" in text
    assert "No feature of 900 was seen to be about something that can be named." not in text or (
        atlas(cells, 0.05).facts["result"]["n_meaning_grid"] == 0
    )
    nothing = page_of([charted("L1R-8x", judged(), [], np.zeros(19))])
    assert "No feature of" in Document(nothing).text
    few = charted("L1R-8x", judged(), [best("food", 1, -1, 4)], np.zeros(3))
    assert "too few for a level of" in Document(page_of([few])).text


def test_most_features_of_nothing_are_left_out_of_a_large_page(cells):
    text = re.sub(r"\s+", " ", Document(page_of(cells, most=1500)).text)
    some = sum(kind != "none" for one in cells for kind in one.concepts["kind"].to_pylist())
    assert f"1,500 of 3,600 features can be searched for: all {some:,} that are of anything" in text
    text = re.sub(r"\s+", " ", Document(page_of(cells, most=20)).text)
    assert f"20 of the {some:,} features that are of anything can be searched for" in text


def test_packed_data_are_read_as_they_were_written(page):
    document = Document(page)
    head = document.open("head")
    body = gzip.decompress(base64.b64decode(document.scripts["body"]))
    assert len(body) == sum(size for _, size in head["columns"]) * head["n"]
    assert json.dumps(head)


def test_the_front_page_leads_to_the_map():
    import pageworld

    assert "map.html" in Document(index(pageworld.STUDY, pageworld.cells())).links
