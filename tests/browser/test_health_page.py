"""The page of judged SAEs in Chromium: it sorts, and its lights can be reached by keyboard."""

import pytest

from judging import page_of, table_of, write_baselines, write_metrics
from saegrid.pages.figures import HEALTH_FIGURES, draw_all
from saegrid.pages.figures.judged import read_judged

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("health")
    files, baselines = write_metrics(folder), write_baselines(folder)
    judged = read_judged(table_of(files, baselines), baselines, [])
    draw_all(judged, folder / "figures", HEALTH_FIGURES)
    path = folder / "health.html"
    path.write_text(page_of(files, baselines), encoding="utf-8")
    return path


def first_cells(tab):
    return tab.locator("#cells tbody tr td:first-child").all_inner_texts()


def test_a_click_sorts_by_number_and_missing_ones_stay_last(tab):
    assert first_cells(tab) == ["L0A-tied", "L1R-8x.k_2", "L1R-8x.k_8"]
    head = tab.locator('#cells th button:text-is("L0")')
    head.click()
    assert first_cells(tab)[0] == "L1R-8x.k_8"
    head.click()
    assert first_cells(tab)[0] == "L0A-tied"
    for _ in range(2):
        tab.locator('#cells th button:text-is("PCA")').click()
        assert first_cells(tab)[-1] == "L0A-tied", "it has no PCA beside it"


def test_settings_sort_as_the_numbers_that_they_are(tab):
    shown = tab.locator("#cells thead th").all_inner_texts().index("lr")
    tab.locator('#cells th button:text-is("lr")').click()
    cells = tab.locator(f"#cells tbody tr td:nth-child({shown + 1})").all_inner_texts()
    assert cells == ["3e-05", "0.0001", "0.5"]


def test_lights_say_what_they_mean(tab):
    light = tab.locator("#cells .light.red").first
    assert "high" in light.get_attribute("aria-label") or "low" in light.get_attribute("aria-label")
    light.focus()
    assert tab.evaluate("document.activeElement.getAttribute('role')") == "img"
    assert tab.locator("#cells img, main figure img").count() == len(HEALTH_FIGURES)
    loaded = "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    tab.locator("figure").last.scroll_into_view_if_needed()
    tab.wait_for_function(loaded)
