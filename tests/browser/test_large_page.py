"""A page of 16,384 features, and the front page, in Chromium."""

import re
import time

import numpy as np
import pageworld
import pytest
from reading import at, ids

from saegrid.pages.browser.index import index
from saegrid.pages.browser.page import page

pytestmark = pytest.mark.browser

SLOW = 4
"""The factor by which a loaded machine may be slower than the budgets."""


@pytest.mark.slow
def test_a_page_of_16384_features(visit, tmp_path):
    made = pageworld.world(n_features=256, n_items=630, vocabulary=5000)
    made = pageworld.tiled(made, 64)
    n = len(made["features"])
    start = time.perf_counter()
    text = page(**made)
    building = time.perf_counter() - start
    path = tmp_path / "features.html"
    path.write_text(text, encoding="utf-8", newline="\n")
    size = path.stat().st_size / n / 1000
    visit(path)  # the first tab of a browser also pays for starting its process
    start = time.perf_counter()
    tab = visit(path)
    ready = time.perf_counter() - start
    at(tab, ids(made)[0])
    nexts = []
    for place in range(1, 6):
        start = time.perf_counter()
        tab.keyboard.press("j")
        at(tab, ids(made)[place])
        nexts.append(time.perf_counter() - start)
    start = time.perf_counter()
    tab.evaluate(f"location.hash = '#{ids(made)[12345]}'")
    at(tab, ids(made)[12345])
    jump = time.perf_counter() - start
    start = time.perf_counter()
    tab.keyboard.press("/")
    tab.keyboard.type("ab")
    search = time.perf_counter() - start
    assert re.fullmatch(r"[\d,]+ of 16,384 active features", tab.locator("#count").inner_text())
    nodes = tab.evaluate("document.querySelectorAll('*').length")
    print(
        f"\n{n} features: {size:.2f} KB each, built in {building:.1f} s, ready in {ready:.2f} s, "
        f"next {1000 * np.median(nexts):.0f} ms, far jump {1000 * jump:.0f} ms, "
        f"search of two keys {1000 * search:.0f} ms, {nodes} elements"
    )
    assert size < 3.5
    assert nodes < 3000
    assert building < 60 * SLOW
    assert ready < 1.5 * SLOW
    assert np.median(nexts) < 0.15 * SLOW


def test_index_page(visit, world, tmp_path):
    cells = pageworld.cells()
    home = tmp_path / "up" / "cells" / "L8A-8x"
    home.mkdir(parents=True)
    (home / "features.html").write_text(page(**world), encoding="utf-8", newline="\n")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "density.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><rect width="90" '
        'height="90" fill="teal"/></svg>'
    )
    path = tmp_path / "index.html"
    figures = [("figures/density.svg", "Densities of the cells")]
    path.write_text(index(pageworld.STUDY, cells, pageworld.CORPORA, figures), encoding="utf-8")
    tab = visit(path)
    tab.locator("img").scroll_into_view_if_needed()
    tab.wait_for_function("document.querySelector('img').naturalWidth === 400")

    def column(place):
        cells_ = tab.locator(f"#cells tbody td:nth-child({place})").all_inner_texts()
        return [text.replace(",", "") for text in cells_]

    for heading, place in (("features that fire", 5), ("median density", 9)):
        for sign in (-1, 1):  # the first click shows the largest first
            tab.locator("#cells th", has_text=re.compile(f"^{heading}")).locator("button").click()
            numbers = [float(text.rstrip("%")) for text in column(place) if text != "–"]
            assert numbers == sorted(numbers, key=lambda x, sign=sign: sign * x)
            missing = [i for i, text in enumerate(column(place)) if text == "–"]
            assert missing == list(range(len(numbers), len(cells)))
    tab.locator("#cells th", has_text="cell").locator("button").click()
    assert column(1)[:2] == ["L8A-8x", "L8A-32x"]
    tab.set_viewport_size({"width": 360, "height": 740})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.locator(".grid a[aria-label=L8A-8x]").click()
    at(tab, ids(world)[0])
    tab.locator("header a").click()
    tab.wait_for_selector("#cells")
