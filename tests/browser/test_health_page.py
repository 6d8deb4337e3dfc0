"""The page of judged SAEs in Chromium: it sorts, its lights speak, and wide tables scroll."""

import io

import numpy as np
import pytest
from PIL import Image

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


NUMBERS = ".numbers >> nth=0"
"""The table of how well the SAEs reconstruct."""


def first_cells(tab, table=NUMBERS):
    return tab.locator(table).locator("tbody tr th:first-child").all_inner_texts()


def test_a_click_sorts_by_number_and_missing_ones_stay_last(tab):
    assert first_cells(tab) == ["L0A-tied", "L1R-8x.k_2", "L1R-8x.k_8"]
    head = tab.locator(NUMBERS).locator('th button:text-is("L0")')
    head.click()
    assert first_cells(tab)[0] == "L1R-8x.k_8"
    head.click()
    assert first_cells(tab)[0] == "L0A-tied"
    for _ in range(2):
        tab.locator(NUMBERS).locator('th button:text-is("… by PCA")').click()
        assert first_cells(tab)[-1] == "L0A-tied", "it has no PCA beside it"


def test_settings_sort_as_the_numbers_that_they_are(tab):
    shown = tab.locator("#cells thead th").all_inner_texts().index("lr")
    tab.locator('#cells th button:text-is("lr")').click()
    cells = tab.locator(f"#cells tbody tr > :nth-child({shown + 1})").all_inner_texts()
    assert cells == ["3e-05", "0.0001", "0.5"]


def test_lights_say_what_they_mean(tab):
    for colour, sign in (("green", "●"), ("amber", "◐"), ("red", "■")):
        said = tab.locator(f"#by_number .light.{colour}, #by_shape .light.{colour}")
        assert said.first.inner_text().split()[0] == sign
        assert said.first.inner_text().split()[1] in {"good", "between", "unknown", "low", "high"}
    assert tab.locator("main figure img").count() == len(HEALTH_FIGURES)
    loaded = "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    tab.locator("figure").last.scroll_into_view_if_needed()
    tab.wait_for_function(loaded)


@pytest.mark.parametrize("width", [390, 1400])
def test_wide_tables_scroll_in_their_box_and_the_keyboard_reaches_them(visit, path, width):
    tab = visit(path)
    tab.set_viewport_size({"width": width, "height": 900})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = tab.locator(".scroll")
    assert boxes.count() >= 6
    for box in boxes.all():
        assert box.get_attribute("tabindex") == "0" and box.get_attribute("aria-label")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_wide_table_has_a_shadow_where_there_is_more(visit, path, scheme):
    """The last pixels of the box differ from the paper until it is scrolled to its end; a table
    that fits has none."""
    tab = visit(path, color_scheme=scheme)
    tab.set_viewport_size({"width": 390, "height": 900})
    box = tab.get_by_role("region", name="How well they reconstruct")
    box.scroll_into_view_if_needed()
    assert box.evaluate("one => one.scrollWidth > one.clientWidth + 40")

    def shade():
        """The mean distance of the right edge from the paper beside it, in steps of 255."""
        at = box.bounding_box()
        clip = {"x": at["x"] + at["width"] - 4, "y": at["y"] + at["height"] - 120, "width": 4}
        shot = Image.open(io.BytesIO(tab.screenshot(clip=clip | {"height": 100}))).convert("L")
        paper = tab.screenshot(clip={"x": 2, "y": 2, "width": 4, "height": 4})
        ground = Image.open(io.BytesIO(paper)).convert("L").getpixel((0, 0))
        return abs(np.median(np.asarray(shot, float)) - ground)

    assert shade() > 25
    box.evaluate("one => { one.scrollLeft = one.scrollWidth; }")
    assert shade() < 4
    tab.emulate_media(media="print")
    assert box.evaluate("one => getComputedStyle(one).backgroundImage") == "none"
