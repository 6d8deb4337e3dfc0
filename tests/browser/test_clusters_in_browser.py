"""The page of clusters in Chromium: it fits a telephone, in either scheme, and its tables sort."""

import pytest

from grouping import page_of, site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    path = tmp_path_factory.mktemp("clusters") / "clusters.html"
    path.write_text(page_of(site("L1R"), site("L2R", firm=False)), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen(visit, where, width, scheme):
    tab = visit(where, color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 850})
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for box in tab.locator(".plot").evaluate_all(
        "list => list.map((one) => one.getBoundingClientRect().right)"
    ):
        assert box <= width
    assert tab.locator("main b, main em em").count() == 0


def test_the_comparison_sorts(visit, where):
    tab = visit(where)

    def scores():
        at = tab.locator("table.compared th").all_inner_texts().index("ARI") + 1
        return tab.locator(f"table.compared td:nth-child({at})").all_inner_texts()

    before = scores()
    tab.locator('table.compared th button:text-is("ARI")').click()
    after = scores()
    assert sorted(before) == sorted(after) and after in (sorted(after), sorted(after)[::-1])
    assert len(set(after)) == 2
