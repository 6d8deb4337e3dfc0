"""The page of findings in Chromium: it sorts, filters, opens rows, and fits a telephone."""

import csv
import io

import pytest
from playwright.sync_api import expect

from telling import HOSTILE, made, page_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def study():
    return made()


@pytest.fixture(scope="module")
def where(study, tmp_path_factory):
    path = tmp_path_factory.mktemp("findings") / "findings.html"
    path.write_text(page_of(study), encoding="utf-8", newline="\n")
    return path


@pytest.fixture
def tab(visit, where):
    return visit(where)


def column(tab, heading):
    """The texts of a column of the table of features."""
    heads = tab.locator("#rows thead th").all_inner_texts()
    place = next(i for i, head in enumerate(heads) if head.startswith(heading)) + 1
    return tab.locator(f"#rows tr.row > td:nth-child({place})").all_inner_texts()


def shown(tab):
    return tab.locator("#count").inner_text()


def confirmed(study, contrast=None):
    return [
        row
        for row in study.discoveries.to_pylist()
        if row["confirmed"] and contrast in (None, row["contrast"])
    ]


def test_it_opens_with_the_first_question_and_filters(tab, study):
    k1 = confirmed(study, "k1")
    assert shown(tab) == f"25 of {len(k1)} shown"
    tab.locator("#by-contrast").select_option("")
    assert shown(tab) == f"25 of {len(confirmed(study))} shown"
    tab.locator("#by-state").select_option("all")
    assert shown(tab) == f"25 of {study.discoveries.num_rows} shown"
    tab.locator("#clear").click()
    tab.locator("#by-cell").select_option(label="L7R-8x")
    inside = [row for row in confirmed(study) if row["cell"] == "L7R-8x"]
    assert shown(tab) == f"{len(inside)} of {len(inside)} shown"
    tab.locator("#by-cell").select_option("")
    tab.locator("#by-layer").select_option("11")
    tab.locator("#by-sign").select_option("-1")
    inside = [row for row in confirmed(study) if row["layer"] == 11 and row["sign"] < 0]
    assert shown(tab) == f"{len(inside)} of {len(inside)} shown"
    tab.locator("#clear").click()
    tab.locator("#search").fill("WIG")
    inside = [row for row in confirmed(study) if "wig" in row["words"]]
    assert shown(tab) == f"{len(inside)} of {len(inside)} shown"
    tab.locator("#search").fill("nothing at all")
    assert shown(tab) == "no feature matches"


def test_more_rows_come_on_demand(tab, study):
    n = len(confirmed(study, "k1"))
    tab.locator("#more").click()
    assert tab.locator("#rows tr.row").count() == min(n, 125)
    assert tab.locator("#more").is_hidden() == (n <= 125)


def test_a_heading_sorts_by_keyboard_too(tab):
    head = tab.locator('#rows th button:text-is("AUROC")')
    head.click()
    down = [float(text) for text in column(tab, "AUROC")]
    assert down == sorted(down, reverse=True)
    head.focus()
    tab.keyboard.press("Enter")
    up = [float(text) for text in column(tab, "AUROC")]
    assert up == sorted(up) and up != down
    heads = tab.locator("#rows th[aria-sort]")
    assert heads.count() == 1 and heads.get_attribute("aria-sort") == "ascending"


def test_a_row_opens_to_texts_and_numbers(tab, study):
    row = tab.locator("#rows tr.row").first
    row.locator(".open").focus()
    tab.keyboard.press("Enter")
    inside = tab.locator("#rows tr.detail")
    assert inside.count() == 1
    assert inside.locator(".examples li").count() == 4
    assert inside.locator("mark").count() == 4
    kinds = inside.locator(".examples .small").all_inner_texts()
    assert [text.split(" · ")[0] for text in kinds] == ["strongest"] * 2 + ["drawn at random"] + [
        "a miss"
    ]
    assert "does not fire" in kinds[-1]
    names = inside.locator("code").all_inner_texts()
    assert {"effect_confirm", "p_confirm", "effect_funlines", "high_given_fires"} <= set(names)
    assert "density_reference" not in names, "a column without numbers"
    href = row.locator("a").get_attribute("href")
    assert href.startswith("up%3C/cells/L") and "features.html#" in href
    tab.keyboard.press("Enter")
    assert inside.count() == 0


def test_texts_that_look_like_markup_are_text(tab):
    tab.locator("#by-contrast").select_option("")
    tab.locator("#search").fill("alert")
    assert HOSTILE in tab.locator("#rows td.words").first.inner_text()
    for button in tab.locator("#rows .open").all()[:3]:
        button.click()
    assert tab.locator("main b, main i:not(.dot):not(.ring):not(.null i), main script").count() == 0


def test_saved_rows_run_nothing_in_a_spreadsheet(tab, study):
    tab.locator("#search").fill("sum")
    with tab.expect_download() as download:
        tab.locator("#csv").click()
    text = download.value.path().read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    inside = [row for row in confirmed(study, "k1") if "SUM" in row["words"]]
    assert len(rows) == len(inside) > 0
    assert {row["words"] for row in rows} == {"'=SUM(A1) 2"}
    by_key = {(row["cell"], str(row["feature"])): row for row in inside}
    for row in rows:
        own = by_key[row["cell"], row["feature"]]
        assert float(row["effect"]) == pytest.approx(own["effect"], rel=1e-5)
        assert row["density_reference"] == "" if "density_reference" in row else True


def test_a_number_opens_the_row_that_it_is_from(tab):
    tab.locator('h1 a[href="#c-k1-n_confirmed"]').click()
    row = tab.locator("#c-k1-n_confirmed")
    row.wait_for(state="visible")
    assert "tests.json: contrasts[k1].n_confirmed" in row.inner_text()
    expect(row).to_be_in_viewport()  # at the end of a smooth scroll


def test_tables_of_cells_sort(tab):
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    table = tab.locator("#tests table.cells").first
    table.locator('button:text-is("tested")').click()
    tested = table.locator("tbody td:nth-child(2)").all_inner_texts()
    numbers = [int(text.replace(",", "")) for text in tested]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen(visit, where, width, scheme):
    tab = visit(where, color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 850})
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    tab.locator("#rows .open").first.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    plots = tab.locator(".plot")
    assert plots.count() >= 8
    for box in plots.evaluate_all("list => list.map((one) => one.getBoundingClientRect().right)"):
        assert box <= width
    paper, ink = tab.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    bright = [sum(map(int, color[4:-1].split(","))) for color in (paper, ink)]
    assert (bright[0] > bright[1]) == (scheme == "light")


def test_the_prose_stands_without_a_script(visit, where, chromium, study):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(where.as_uri())
    assert str(study.tests["contrasts"][0]["n_confirmed"]) in tab.locator("h1").inner_text()
    assert tab.locator(".plot svg").count() >= 8
    assert tab.locator(".null").count() == 5
    context.close()


def test_a_study_without_discoveries_says_so(visit, tmp_path):
    study = made(0)
    path = tmp_path / "findings.html"
    path.write_text(page_of(study), encoding="utf-8")
    tab = visit(path)
    assert "No feature was seen to tell" in tab.locator("h1").inner_text()
    assert tab.locator("#filters").is_hidden() and tab.locator("#rows").is_hidden()


def test_a_heading_without_a_button_leaves_the_others_sorting(visit, study, tmp_path):
    """Tables that do not sort stand beside those that do."""
    path = tmp_path / "findings.html"
    bare = page_of(study).replace(
        '<th scope="col"><button type="button">cell</button></th>', "<th>cell</th>"
    )
    path.write_text(bare, encoding="utf-8", newline="\n")
    tab = visit(path)
    table = tab.locator("table.cells:has(th[title^='n_tested'])").last
    assert table.evaluate("(node) => node.tHead.rows[0].cells[0].textContent") == "cell"
    head = table.locator("th[title^='n_tested']")
    head.locator("button").evaluate("(node) => node.click()")
    assert head.get_attribute("aria-sort") == "descending"


def test_on_paper_the_headings_stand_and_the_controls_do_not(tab):
    tab.emulate_media(media="print")
    assert "feature" in tab.locator("#rows thead").inner_text()
    shown = "(nodes) => nodes.map((node) => getComputedStyle(node).display)"
    assert {*tab.locator("#rows thead button").evaluate_all(shown)} == {"contents"}
    assert tab.locator("#filters").is_hidden() and tab.locator("#more").is_hidden()


def test_on_paper_a_figure_stays_whole_and_its_long_tables_do_not(tab):
    tab.emulate_media(media="print")
    inside = "list => [...new Set(list.map((one) => getComputedStyle(one).breakInside))]"
    assert tab.locator("#tests figure").evaluate_all(inside) == ["avoid"]
    assert tab.locator("#prediction figure").evaluate_all(inside) == ["auto"]
    assert tab.locator("#prediction figure .chart").evaluate_all(inside) == ["avoid"]
    assert tab.locator("section > h2, section > p").evaluate_all(inside) == ["avoid"]
