"""The page of a survey in Chromium: each of its tables sorts by itself, its figures load."""

import pytest

from saegrid.pages.figures import SURVEY_FIGURES, draw_all
from surveying import drawn_from, page_of, surveyed

pytestmark = pytest.mark.browser


def test_each_table_sorts_by_itself(visit, tmp_path):
    found = surveyed(tmp_path, sites=("L2R", "L10R"))
    draw_all(drawn_from(found), tmp_path / "figures", SURVEY_FIGURES)
    path = tmp_path / "survey.html"
    path.write_text(page_of(found), encoding="utf-8")
    tab = visit(path)

    def sites(table):
        places = {0: 2, 1: 1}
        cells = tab.locator("table").nth(table).locator(f"tbody td:nth-child({places[table]})")
        return cells.all_inner_texts()

    assert (sites(0)[0], sites(1)) == ("L2R", ["L2R", "L10R"])
    tab.locator('table >> nth=0 >> th button:text-is("site")').click()
    tab.locator('table >> nth=0 >> th button:text-is("site")').click()
    assert sites(0) == ["L10R"] * 4 + ["L2R"] * 4, "by number, not by letter"
    assert sites(1) == ["L2R", "L10R"]
    tab.locator("figure").last.scroll_into_view_if_needed()
    loaded = "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    tab.wait_for_function(loaded)
    assert tab.locator("figure img").count() == len(SURVEY_FIGURES)
