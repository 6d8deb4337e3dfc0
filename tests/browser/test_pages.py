"""The feature browser in Chromium, from a file, without a network."""

import json
import re

import numpy as np
import pageworld
import pytest
from reading import Document, at, ids, spelt

import further
from saegrid.features.statistics import STATISTICS, registered
from saegrid.pages.browser.page import page

pytestmark = pytest.mark.browser


def listed(tab):
    """The ids in the list, from above."""
    return [int(text[1:]) for text in tab.locator("#list .row .id").all_inner_texts()]


def test_first_feature_shows_its_numbers(tab, world):
    first = world["features"].to_pylist()[0]
    at(tab, first["feature"])
    numbers = tab.locator(".numbers").inner_text()
    assert f"DENSITY = {100 * first['density']:.3f}\xa0%" in numbers
    assert f"MAX = {first['max_activation']:.3f}" in numbers
    assert f"{first['n_active']} active of {world['cell_facts']['n_tokens']}" in numbers
    assert tab.locator("h2 a").inner_text() == f"#{first['feature']}"
    assert tab.get_by_role("button", name="next feature (j)").is_visible()
    assert "meaning: kids 17/20" in tab.locator(".badges").inner_text()


def test_keys_go_to_the_next_and_the_previous(tab, world):
    order = ids(world)
    for key, place in (("j", 1), ("ArrowRight", 2), ("k", 1), ("ArrowLeft", 0), ("k", 0)):
        tab.keyboard.press(key)
        at(tab, order[place])
    tab.evaluate("Math.random = () => 0.999999")
    tab.keyboard.press("r")
    at(tab, order[-1])


def test_permalink_and_back(visit, path, world, tab):
    order = ids(world)
    tab.keyboard.press("j")
    at(tab, order[1])
    assert tab.evaluate("location.hash") == f"#{order[1]}"
    tab.go_back()
    at(tab, order[0])
    tab.goto(f"{path.as_uri()}#{order[7]}")
    at(tab, order[7])
    silent = min(set(range(512)) - set(order))
    tab.evaluate(f"location.hash = '#{silent}'")
    tab.wait_for_function("document.body.dataset.feature === undefined")
    assert "no active counted token" in tab.locator("#feature").inner_text()
    tab.keyboard.press("j")
    at(tab, order[0])


def test_a_feature_is_summed_up_by_its_tokens(tab, path):
    """The list and the heading: tokens with their share of the firings, the words beside."""
    document = Document(path.read_text(encoding="utf-8"))
    index = document.open("index")
    columns, strings = index["columns"], index["strings"]
    for place in (0, 3):
        at_top = columns["tokens"][place]
        wanted = [
            (spelt(strings[code]), f"{round(100 * n / columns['n_active'][place])}\xa0%")
            for code, n in zip(at_top[::2], at_top[1::2], strict=True)
        ]
        tab.evaluate(f"location.hash = '#{columns['feature'][place]}'")
        at(tab, columns["feature"][place])
        line = tab.locator("#list .row").nth(place)
        for parts, n in ((line, 2), (tab.locator(".tokens"), len(wanted))):
            found = [parts.locator(kind).all_text_contents() for kind in (".token", ".part")]
            named = [(token, share.strip()) for token, share in zip(*found, strict=True)]
            assert named == wanted[:n]
        assert tab.locator(".words bdi").count() == columns["n_words"][place]
        assert line.locator(".beside bdi").count() == min(4, columns["n_words"][place])


def test_search(tab, world, path):
    order = ids(world)
    tab.keyboard.press("/")
    tab.keyboard.type("</SCRIPT")
    tops = world["top_tokens"].to_pylist()
    hits = {row["feature"] for row in tops if "</script" in (row["word"] + row["token"]).lower()}
    assert hits
    index = Document(path.read_text(encoding="utf-8")).open("index")
    frequent = zip(index["columns"]["feature"], index["columns"]["tokens"], strict=True)
    for feature, flat in frequent:
        if any("</script" in index["strings"][code].lower() for code in flat[::2]):
            hits.add(feature)
    assert tab.locator("#count").inner_text() == f"{len(hits)} of {len(order)} active features"
    tab.keyboard.press("Enter")
    at(tab, next(feature for feature in order if feature in hits))
    tab.keyboard.press("/")
    tab.keyboard.type(f"#{order[5]}")
    assert order[5] in listed(tab)
    tab.keyboard.press("Enter")
    at(tab, order[5])
    tab.keyboard.press("/")
    tab.keyboard.type("nothing at all")
    assert tab.locator("#count").inner_text() == "no feature matches"
    tab.keyboard.press("Escape")
    assert tab.locator("#count").inner_text() == f"{len(order)} of {len(order)} active features"


def test_sort_and_filter(tab, world):
    rows = world["features"].to_pylist()
    for name, key in (
        ("max", lambda row: -row["max_activation"]),
        ("mean_activation", lambda row: -float(f"{row['mean_activation']:.6g}")),
        ("n_active", lambda row: -row["n_active"]),
        ("id", lambda row: row["feature"]),
        ("density", lambda row: row["rank"]),
    ):
        tab.locator("#sort").select_option(name)
        wanted = [row["feature"] for row in sorted(rows, key=lambda row: (key(row), row["rank"]))]
        tab.locator("#list").evaluate("node => { node.scrollTop = 0; node.onscroll(); }")
        assert listed(tab) == wanted[: len(listed(tab))]
    tab.locator("#filter").select_option("meaning")
    assert listed(tab) == ids(world)[::3][: len(listed(tab))]


def told(tab):
    """Words of the page on its numbers: entries by heading, definitions, orders of the list."""
    entries = tab.locator(".numbers > div").evaluate_all(
        "list => list.map(div => [div.querySelector('dt').textContent, div.title,"
        " div.querySelector('dd').textContent])"
    )
    definitions = tab.locator("#definitions > div").evaluate_all(
        "list => list.map(div => [...div.children].map(node => node.textContent))"
    )
    orders = tab.locator("#sort option").evaluate_all("list => list.map(o => [o.value, o.text])")
    return entries, definitions, orders


def opened(visit, folder, made):
    """The page of a made-up cell."""
    path = folder / f"{len(made['features'].column_names)}.html"
    path.write_text(page(**made), encoding="utf-8", newline="\n")
    return visit(path)


def written(row, one):
    """A statistic of a feature as the page writes it."""
    number = row[one.name]
    if number is None:
        return "–"
    return f"{100 * number:.3f}\xa0%" if one.form == "percent" else f"{number:.3f}"


def test_every_statistic_is_an_entry_a_definition_and_an_order(visit, tmp_path, monkeypatch):
    """Nothing else of the page is lost to a name: a page without statistics has the rest."""
    with monkeypatch.context() as without:
        without.setattr("saegrid.features.statistics.STATISTICS", {})
        rest = told(opened(visit, tmp_path, pageworld.world()))
    for further_ones in (False, True):
        if further_ones:
            further.register(monkeypatch)
        made = pageworld.world()
        tab = opened(visit, tmp_path, made)
        row = made["features"].to_pylist()[0]
        found = registered()
        entries, definitions, orders = told(tab)
        at_rank = [heading for heading, *_ in entries].index("rank")
        shown = entries[at_rank - len(found) : at_rank]
        assert shown == [[one.heading, one.words, written(row, one)] for one in found]
        wanted = {
            "entries": [*rest[0][:4], *shown, *rest[0][4:]],
            "definitions": [*rest[1][:4], *([o.heading, o.words] for o in found), *rest[1][4:]],
            "orders": [*rest[2][:2], *([o.name, o.name.replace("_", " ")] for o in found),
                       *rest[2][2:]],
        }  # fmt: skip
        assert {"entries": entries, "definitions": definitions, "orders": orders} == wanted
    assert [one.heading for one in found][-2:] == ["planted median", "planted share"]


def test_the_list_is_sorted_by_a_statistic(visit, tmp_path, monkeypatch):
    """Descending, what has no number last, ties by density."""
    further.register(monkeypatch)
    made = pageworld.world(n_features=12, rate=0.02)
    rows = made["features"].to_pylist()
    missing = [row for row in rows if row["planted_share"] is None]
    assert 0 < len(missing) < len(rows)
    tab = opened(visit, tmp_path, made)
    for name in (*STATISTICS, "density"):
        tab.locator("#sort").select_option(name)
        known = [row for row in rows if row[name] is not None]
        known.sort(key=lambda row: (-float(f"{row[name]:.6g}"), row["rank"]))
        unknown = [row for row in rows if row[name] is None]
        wanted = [row["feature"] for row in (*known, *unknown)]
        assert listed(tab) == wanted
    tab.evaluate(f"location.hash = '#{missing[0]['feature']}'")
    at(tab, missing[0]["feature"])
    assert ["planted share", "share below half the largest", "–"] in told(tab)[0]


def test_labels_are_kept_exported_and_imported(tab, world, tmp_path):
    order = ids(world)
    at(tab, order[0])
    tab.keyboard.press("n")
    tab.keyboard.type("kids <b>")
    tab.keyboard.press("Enter")
    assert "kids <b>" in tab.locator("#list .row").first.inner_text()
    tab.reload()
    tab.wait_for_selector("body[data-ready]")
    assert tab.locator("#label").input_value() == "kids <b>"
    with tab.expect_download() as download:
        tab.get_by_role("button", name="export labels").click()
    download.value.save_as(tmp_path / "labels.json")
    body = json.loads((tmp_path / "labels.json").read_text())
    assert body == {"study": "made", "corpus": "up", "cell": "L1R-8x",
                    "labels": {str(order[0]): "kids <b>"}}  # fmt: skip
    body["labels"] = {str(order[1]): "hair"}
    (tmp_path / "labels.json").write_text(json.dumps(body))
    tab.locator("#import").set_input_files(tmp_path / "labels.json")
    tab.wait_for_selector("#notice:not([hidden])")
    assert tab.locator("#notice").inner_text() == "1 labels read."
    assert "hair" in tab.locator("#list .row").nth(1).inner_text()
    (tmp_path / "other.json").write_text(json.dumps({**body, "cell": "L9R-8x"}))
    tab.locator("#import").set_input_files(tmp_path / "other.json")
    tab.wait_for_function("document.querySelector('#notice').textContent.includes('must hold')")
    assert tab.locator("#notice").inner_text() == (
        "other.json must hold labels of L1R-8x; got L9R-8x."
    )


def test_labels_in_the_results_stand_beside_those_of_the_browser(visit, world, tmp_path):
    one, two, three = ids(world)[:3]
    brought = {one: "wigs </script><b>", two: "hair"}
    path = tmp_path / "features.html"
    path.write_text(page(**world, labels=brought), encoding="utf-8")
    tab = visit(path)
    at(tab, one)
    assert tab.locator(".imported bdi").inner_text() == brought[one]
    assert tab.locator("#label").input_value() == ""
    rows = tab.locator("#list .row")
    assert brought[one] in rows.first.inner_text() and "hair" in rows.nth(1).inner_text()
    tab.keyboard.press("n")
    tab.keyboard.type("kids")
    tab.keyboard.press("Enter")
    assert "kids" in rows.first.inner_text(), "one's own comes first"
    tab.reload()
    tab.wait_for_selector("body[data-ready]")
    assert tab.evaluate("labels.all") == {str(one): "kids"}, "only what was typed here"
    assert tab.locator(".imported bdi").inner_text() == brought[one]
    tab.locator(".imported button").click()
    assert tab.evaluate("labels.all") == {str(one): brought[one]}
    tab.locator(".imported").wait_for(state="detached")
    tab.locator("#filter").select_option("labelled")
    assert rows.count() == 2
    tab.locator("#filter").select_option("all")
    tab.locator("#search").fill("hair")
    assert f"#{two}" in tab.locator("#list").inner_text()
    tab.evaluate(f"location.hash = '#{three}'")
    at(tab, three)
    assert tab.locator(".imported").count() == 0


def test_imported_labels_never_overwrite_unasked(tab, world, tmp_path):
    one, two, three = ids(world)[:3]
    tab.evaluate("labels.all = {}; labels.save()")
    tab.evaluate(f"labels.take([['{one}', 'kids'], ['{two}', 'Hair']])")
    body = {"study": "made", "corpus": "up", "cell": "L1R-8x",
            "labels": {str(one): "<b>wigs", str(two): "hair ", str(three): "food"}}  # fmt: skip
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(body))
    tab.locator("#import").set_input_files(path)
    dialog = tab.get_by_role("dialog", name="Labels that differ")
    dialog.wait_for()
    assert dialog.locator("tbody tr").count() == 1
    assert dialog.locator("tbody td").all_inner_texts()[:2] == ["kids", "<b>wigs"]
    assert tab.locator("#notice").inner_text() == "1 labels read, 1 the same, 1 differ."
    dialog.get_by_role("button", name="keep all of mine").click()
    mine = {str(one): "kids", str(two): "Hair", str(three): "food"}
    assert tab.evaluate("labels.all") == mine and dialog.count() == 0
    tab.locator("#import").set_input_files([])
    tab.locator("#import").set_input_files(path)
    dialog.wait_for()
    tab.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert tab.evaluate("labels.all") == mine
    tab.locator("#import").set_input_files([])
    tab.locator("#import").set_input_files(path)
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="take what is ticked").click()
    assert tab.evaluate("labels.all") == {**mine, str(one): "<b>wigs"}
    path.write_text(json.dumps({**body, "study": "elsewhere"}))
    tab.locator("#import").set_input_files([])
    tab.locator("#import").set_input_files(path)
    tab.wait_for_function("document.querySelector('#notice').textContent.includes('of the study')")
    assert tab.locator("#notice").inner_text() == (
        "theirs.json must be of the study made; got elsewhere."
    )


def test_tokens_on_the_page_are_the_given_ones(tab, world):
    for feature in ids(world)[:6]:
        tab.evaluate(f"location.hash = '#{feature}'")
        at(tab, feature)
        for name in ("random", "q1", "q2", "top"):
            table = world["top_tokens" if name == "top" else "examples"].to_pylist()
            rows = [row for row in table if row["feature"] == feature]
            rows = [row for row in rows if name in ("top", row.get("group"))]
            found = tab.locator(f"[data-group={name}] > .ex").evaluate_all(
                """list => list.map(ex => ({
                  tokens: [...ex.querySelectorAll('.kwic .t')].map(t => t.textContent),
                  peak: ex.querySelector('.kwic .c').textContent,
                  title: ex.querySelector('.kwic .c').title,
                  plain: [...ex.querySelectorAll('.kwic .t')].map(t => t.matches('.u, .s')),
                  shaded: [...ex.querySelectorAll('.kwic .t')].map(t => t.matches('.on')),
                  word: ex.querySelector('.word').textContent }))"""
            )
            assert len(found) == len(rows)
            for ex, row in zip(found, rows, strict=True):
                assert ex["tokens"] == [
                    spelt(token, i == row["center"]) for i, token in enumerate(row["window_tokens"])
                ]
                assert ex["peak"] == spelt(row["token"], True)
                assert np.float32(ex["title"]) == np.float32(row["activation"])
                assert ex["plain"] == [value is None for value in row["window_activations"]]
                assert ex["shaded"] == [bool(value) for value in row["window_activations"]]
                assert ex["word"] == spelt(row["word"])


def test_shading_grows_with_the_activation(tab, world):
    feature = ids(world)[0]
    at(tab, feature)
    colours = tab.locator("[data-group=top] .kwic .c").evaluate_all(
        "list => list.map(t => [t.title, getComputedStyle(t).backgroundColor])"
    )
    activations = [float(title) for title, _ in colours]
    alphas = [float(re.findall(r"[\d.]+", colour)[-1]) for _, colour in colours]
    assert activations == sorted(activations, reverse=True)
    assert alphas == sorted(alphas, reverse=True)
    assert len(set(alphas)) > 5
    hues = {tuple(re.findall(r"[\d.]+", colour)[:3]) for _, colour in colours}
    assert len(hues) == 1


def test_full_text_on_demand(tab, world):
    at(tab, ids(world)[0])
    button = tab.locator("[data-group=top] .peak").first
    assert tab.locator(".full").count() == 0
    button.click()
    tab.wait_for_selector(".full .seq")
    row = world["top_tokens"].to_pylist()[0]
    tokens = world["tokens"].to_pylist()
    wanted = [
        spelt(token["text"], token["position"] == row["position"])
        for token in tokens
        if token["row"] == row["row"]
    ]
    assert tab.locator(".full .seq .t").all_text_contents() == wanted
    assert f"the original <i>{row['item']}</i>" in tab.locator(".full").inner_text()
    assert f"id {1000 + row['item']}" in tab.locator(".full").inner_text()
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert tab.locator(".full").count() == 0


def test_small_numbers_keep_two_digits(tab):
    said = tab.evaluate("[0, 0.0004, -0.25, 1.5, 0.0061].map(plain)")
    assert said == ["0.000", "0.00040", "-0.250", "1.500", "0.006"]


def test_histogram(tab, world):
    first = world["features"].to_pylist()[0]
    at(tab, first["feature"])

    def bars():
        return tab.locator("svg .bar").evaluate_all(
            "list => list.map(b => [+b.querySelector('title').textContent.split(': ')[1],"
            " +b.getAttribute('height')])"
        )

    linear = bars()
    assert len(linear) == 50
    assert sum(n for n, _ in linear) == first["n_active"]
    tab.keyboard.press("l")
    tab.wait_for_selector("#log[aria-pressed=true]")
    logarithmic = bars()
    assert [n for n, _ in logarithmic] == [n for n, _ in linear]
    low = [i for i, (n, _) in enumerate(linear) if 0 < n < max(linear)[0]]
    assert low
    assert all(logarithmic[i][1] > linear[i][1] for i in low)


def test_every_space_can_be_shown(tab, world):
    at(tab, ids(world)[0])
    assert tab.locator("#spaces").get_attribute("aria-pressed") == "false"
    tab.keyboard.press("w")
    tab.wait_for_selector("#spaces[aria-pressed=true]")
    tab.wait_for_function(
        "[...document.querySelectorAll('.kwic .t')].every(t => !t.textContent.includes(' '))"
    )


def test_help_and_roles(tab):
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    assert "active counted tokens / all" in tab.locator("#help").inner_text()
    tab.keyboard.press("Escape")
    assert not tab.locator("#help").is_visible()
    assert tab.get_by_role("listbox", name="Features").is_visible()
    assert tab.locator("#list").get_by_role("option", selected=True).count() == 1
    assert tab.get_by_role("searchbox", name="Search features").is_visible()


def test_narrow_page_does_not_scroll_sideways(visit, path):
    tab = visit(path)
    tab.set_viewport_size({"width": 360, "height": 740})
    for _ in range(5):
        before = tab.evaluate("document.body.dataset.feature")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        tab.keyboard.press("j")
        tab.wait_for_function("id => document.body.dataset.feature !== id", arg=before)


def test_no_sliver_of_colour_is_left_where_a_line_ends(visit, path, world):
    tab = visit(path)
    tab.wait_for_selector("body[data-ready]")
    lit = 0
    for width in (390, 360, 330):
        tab.set_viewport_size({"width": width, "height": 850})
        for feature in ids(world)[:6]:
            tab.evaluate(f"location.hash = '#{feature}'")
            at(tab, feature)
            boxes = tab.locator(".kwic .t.on").evaluate_all(
                """list => list.filter((one) => /\\w/.test(one.textContent)).map((one) =>
                [...one.getClientRects()].map((box) => box.width).filter((wide) => wide > 0))"""
            )
            lit += len(boxes)
            assert [box for box in boxes if len(box) > 1 and box[0] < 6] == []
    assert lit > 100
