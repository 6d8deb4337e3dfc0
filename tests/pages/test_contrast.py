"""Contrast of all colours of text of the pages, light and dark, and what is printed."""

import re
from pathlib import Path

import pytest

from saegrid.pages import browser
from saegrid.pages.figures import style

FOLDER = Path(browser.__file__).parent
SHEETS = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.css"))}
TEXT = ("ink", "muted", "link", "good", "between", "bad")
"""Properties that text is coloured with."""
GROUNDS = ("paper", "wash")
"""Properties that it stands on."""
LEAST = 4.5
"""Contrast of small text, by WCAG 2.2, level AA."""


def properties(sheet: str) -> tuple[dict[str, str], dict[str, str]]:
    """The custom properties of a sheet, light and dark."""
    dark_at = re.search(
        r"@media screen and \(prefers-color-scheme: dark\) \{(.*?\})\s*\}", sheet, re.S
    )
    dark_text = dark_at[1] if dark_at else ""
    light_text = "".join(re.findall(r"^:root \{(.*?)\}", sheet, re.S | re.M))
    light, dark = (
        dict(re.findall(r"--([\w-]+): ([^;]+);", text)) for text in (light_text, dark_text)
    )
    return light, light | dark


def rgb(colour: str) -> tuple[float, ...]:
    """Red, green and blue, 0 to 1, of `#rgb`, `#rrggbb` or `r g b`."""
    if colour.startswith("#"):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
        return tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return tuple(int(one) / 255 for one in colour.split())


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of WCAG: 0.2126 R + 0.7152 G + 0.0722 B of linear light."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Contrast of WCAG: (lighter + 0.05) / (darker + 0.05)."""
    dark, light = sorted((luminance(rgb(one)), luminance(rgb(other))))
    return (light + 0.05) / (dark + 0.05)


def test_known_contrasts():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005)
    assert contrast("0 0 255", "#fff") == pytest.approx(8.59, abs=0.005)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(dark):
    colours = properties(SHEETS["base.css"])[dark]
    low = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text in TEXT
        for ground in GROUNDS
        if contrast(colours[text], colours[ground]) < LEAST
    }
    assert low == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_on_the_warm_colour_can_be_read(dark):
    """Marked words of findings and the darkest tiles of the map."""
    heat = properties(SHEETS["base.css"])[dark]["heat"]
    on = properties(SHEETS["findings.css"])[dark]["on-heat"]
    assert contrast(on, heat) >= LEAST


def blend(colour: str, ground: str, alpha: float) -> str:
    """A colour laid over a ground, as `r g b`."""
    mixed = [alpha * c + (1 - alpha) * g for c, g in zip(rgb(colour), rgb(ground), strict=True)]
    return " ".join(str(round(255 * one)) for one in mixed)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_shaded_tokens_and_tiles_can_be_read(dark):
    """Text of the page on any shade of a token, and on the paler tiles of the map; on the two
    darkest the text that is made for the warm colour."""
    base, tiles = (properties(SHEETS[name])[dark] for name in ("base.css", "map.css"))
    on_heat = properties(SHEETS["findings.css"])[dark]["on-heat"]
    shades = [(base["ink"], at / 10 * float(base["strongest"])) for at in range(11)]
    shades += [(base["ink"], float(tiles[f"h{at}"])) for at in range(3)]
    shades += [(on_heat, float(tiles[f"h{at}"])) for at in (3, 4)]
    low = {
        (text, alpha): round(found, 2)
        for text, alpha in shades
        if (found := contrast(text, blend(base["heat"], base["paper"], alpha))) < LEAST
    }
    assert low == {}


def test_text_has_no_other_colour():
    """Neither the warm colour, which is pale on white, nor one that no test knows."""
    known = {f"var(--{name})" for name in (*TEXT, "paper", "on-heat")} | {"inherit"}
    for name, sheet in SHEETS.items():
        without_properties = re.sub(r"--[\w-]+:[^;}]*", "", sheet)
        used = re.findall(r"(?<![-\w])color: ?([^;}]+)", without_properties)
        assert {one.strip() for one in used} <= known, name


def test_dark_is_of_screens_alone():
    """Paper is white: a dark page would print dark."""
    for name, sheet in SHEETS.items():
        for query in re.findall(r"@media ([^{]*prefers-color-scheme: dark[^{]*)\{", sheet):
            assert query.startswith("screen and "), name
    assert "color-scheme: light;" in SHEETS["base.css"].partition("@media print")[2]


def test_controls_are_not_printed_and_wide_tables_are_not_cut():
    base, index = (SHEETS[name].partition("@media print")[2] for name in ("base.css", "index.css"))
    assert re.search(r"button[^{]*\.button[^{]*\{ display: none", base)
    assert ".scroll { overflow: visible; }" in index
    app = SHEETS["app.css"].partition("@media print")[2]
    assert re.search(r"nav, \.tools, dialog, #notice \{ display: none", app)


def test_focus_can_be_seen():
    assert ":focus-visible { outline: 2px solid var(--link)" in SHEETS["base.css"]
    for name, sheet in SHEETS.items():
        bare = re.findall(r"([^{}]*)\{[^}]*outline: (?:0|none)", sheet)
        assert {one.strip() for one in bare} <= {"#feature"}, name


def filtered(colour: str, invert: float) -> str:
    """A colour after `invert(a) hue-rotate(180deg)` of CSS's filter effects, as `r g b`: each of
    red, green and blue, c, becomes a + (1 - 2 a) c, and hue turns around the grey axis."""
    turned = [invert + (1 - 2 * invert) * one for one in rgb(colour)]
    grey = sum(weight * c for weight, c in zip((0.213, 0.715, 0.072), turned, strict=True))
    return " ".join(str(round(255 * min(1, max(0, 2 * grey - c)))) for c in turned)


def test_figures_are_dark_where_the_page_is():
    """The white of a figure becomes the page's ground within a 50th, its text keeps its contrast,
    and every colour but black stands out more than it does on white."""
    (invert,) = re.findall(
        r"screen and \(prefers-color-scheme: dark\) \{ img \{ filter: invert\(([.\d]+)\) "
        r"hue-rotate\(180deg\)",
        SHEETS["index.css"],
    )
    assert filtered("#ffffff", 0.8) == "51 51 51" and filtered("#0072B2", 1) == "66 180 244"
    ground = filtered("#ffffff", float(invert))
    paper = rgb(properties(SHEETS["base.css"])[True]["paper"])
    assert max(abs(a - b) for a, b in zip(rgb(ground), paper, strict=True)) < 0.02
    of = {
        colour: contrast(filtered(colour, float(invert)), ground)
        for colour in (*style.COLOURS, style.GREY)
    }
    assert of.pop("#000000") > 12 and of[style.GREY] >= LEAST
    assert [colour for colour in of if of[colour] < contrast(colour, "#fff")] == []
