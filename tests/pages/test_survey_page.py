"""The page and the figures of a survey."""

import sys
from pathlib import Path

import pytest

from saegrid.metrics.survey.layers import PASSES, survey
from saegrid.pages import figures
from saegrid.pages.browser.survey import NAMED
from saegrid.pages.figures import SURVEY_FIGURES, captions
from saegrid.pages.figures.dimensions import MANY
from saegrid.pages.figures.passes import draw
from saegrid.pages.figures.surveyed import Surveyed

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from reading import Document

from surveying import FACTS, drawn_from, page_of, surveyed


def svg(name, shown):
    """A figure of the page."""
    return figures.svg(SURVEY_FIGURES[name], shown)


def test_the_page_says_what_the_tables_do(tmp_path):
    found = surveyed(tmp_path)
    page = page_of(found)
    document = Document(page)
    for text in ("st<udy", "m&m", "news <b>", "animals", "0.42857", "more than 6.0"):
        assert text in document.text, text
    assert "<b>" not in page.replace('{"a": "<b>"}', "")
    assert document.images == [path for path, _ in captions(SURVEY_FIGURES)]
    assert document.metas["saegrid-spec"] == FACTS["spec"]
    assert page.count("What the columns say</summary>") == page.count('<table class="cells">')
    assert "<dt>sum</dt><dd>of all numbers of the tokens</dd>" in page
    assert page == page_of(found)
    # Of all tokens 7 and 11 in jokes, 7 alone in news; of one token none are told.
    assert ">7, 11<" in page or ">11, 7<" in page
    assert page.count(">7</td>") >= 2
    assert page.count('data-sort="">–</td>') == 4, "of one token nothing stands out"
    assert page.count('data-sort="nan">–</td>') == 4, "one token has no other"


def test_without_lists_or_a_second_corpus_there_are_fewer_tables(tmp_path):
    found = surveyed(tmp_path, corpora=("jokes",))
    page = page_of(found)
    assert page.count("<table") == 2
    assert page_of(found, rates=()).count("<table") == 1
    assert "Corpora compared" not in page


def test_at_most_some_dimensions_are_named(tmp_path):
    found = surveyed(tmp_path, corpora=("jokes",), sites=("L0R",))
    file = str(tmp_path / "0.safetensors")
    low = survey([{"corpus": "jokes", "site": "L0R", "files": [file]}], 0)
    assert found.dimensions["outlier"].to_numpy().sum() == 2
    page = page_of(low)
    assert ", …</td>" in page
    assert page.split(", …</td>")[0].rsplit(">", 1)[1].count(",") == NAMED - 1


@pytest.mark.parametrize("name", SURVEY_FIGURES)
def test_figures_are_the_same_for_the_same_tables(tmp_path, name):
    found = surveyed(tmp_path)
    shown = drawn_from(found)
    assert svg(name, shown) == svg(name, shown)
    for label in ("jokes", "news"):
        assert label in svg(name, shown)
    nothing = Surveyed(
        *(table.slice(0, 0) for table in (found.layers, found.dimensions, found.passes))
    )
    assert svg(name, nothing).startswith("<?xml")


def test_dimensions_that_stand_out_have_their_number(tmp_path):
    found = surveyed(tmp_path)
    text = svg("dimensions", drawn_from(found))
    assert text.count(">7<") == 4
    assert text.count(">11<") == 2
    assert ">L0R<" in text and ">L2A<" in text and "<image" not in text


def test_a_line_is_drawn_for_each_single_token(tmp_path):
    found = surveyed(tmp_path, corpora=("jokes",), sites=("L0R",))
    shown = drawn_from(found)
    (panel,) = [one for one in draw(shown).axes if one.get_visible()]
    assert len(panel.lines) == PASSES == found.passes.num_rows
    for line, values in zip(panel.lines, found.passes["values"].to_pylist(), strict=True):
        assert line.get_ydata().tolist() == values
    # Dimension 7 stands out in all of them, and the others are still to be told apart.
    assert min(line.get_ydata()[7] for line in panel.lines) > 70
    assert panel.get_yscale() == "symlog"


def test_many_dimensions_are_a_picture_within_the_figure(tmp_path):
    found = surveyed(tmp_path, d_model=MANY // 8 + 1, n=8)
    shown = drawn_from(found)
    for name in ("dimensions", "passes"):
        text = svg(name, shown)
        assert "<image" in text
        assert text == svg(name, shown)
        assert len(text) < 1_500_000


def test_many_layers_of_one_position_stand_row_by_row(tmp_path):
    found = surveyed(tmp_path, 12, [f"L{layer}R" for layer in range(7)], ("jokes",), 8)
    figure = draw(drawn_from(found))
    panels = [one for one in figure.axes if one.get_visible()]
    assert [one.get_title() for one in panels] == [f"L{layer}R" for layer in range(7)]
    rows = [one.get_subplotspec().rowspan.start for one in panels]
    assert rows == [0] * 4 + [1] * 3
    named = [one.get_title() for one in panels if one.get_xlabel() == "dimension"]
    assert named == ["L3R", "L4R", "L5R", "L6R"], "the last of each column"
    width, height = figure.get_size_inches()
    assert height < 1.4 * width, "a figure is higher than a page of print"
