"""The section of a page of probes on units one by one: tests, their chance, and their power."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from saegrid.evidence.units.compare import TESTS
from saegrid.pages.browser import charts
from saegrid.pages.browser.probed import Charts, Section, Table, Tables, by_vector
from saegrid.pages.browser.probed_lines import (
    KEY,
    LINES,
    Row,
    key_of,
    name_of,
    several,
    sites_with_cells,
)
from saegrid.pages.browser.render import Column

SUMMARY, LISTED = "readout_units.summary", "readout_units.listed"
HISTOGRAMS, POWER = "readout_units.histograms", "readout_units.power"
COUNTS = (
    Column("where", "units of"),
    Column("vector", "vector"),
    Column("units", "units", "{:,}"),
    Column("constant", "silent", "{:,}", "one value on all texts; p is 1, where 0/0 was published"),
    Column("welch", "Welch", "{:,}", "as published: p below the level of a unit alone"),
    Column("expected", "by chance", "{:.2g}", "units times the level, if nothing differed"),
    Column("two", "two or more", "{:.1e}", "chance of two or more if nothing differed, units "
           "being independent"),
    Column("beyond", "out of reach", "{:,}", "units that fire on so few texts that Welch's p "
           "cannot be below the level, whatever they stand for"),
    Column("bonferroni", "Bonferroni", "{:,}", "Welch's p below the family-wise level / units"),
    Column("maxt", "max-T", "{:,}", "family-wise, labels of whole words exchanged: the largest "
           "statistic of all units, which holds for sparse units too"),
    Column("bh", "BH", "{:,}", "Benjamini and Hochberg on the exchange's p"),
    Column("rank", "BH, ranks", "{:,}", "Benjamini and Hochberg on Mann and Whitney's p"),
    Column("firing", "BH, firing", "{:,}", "Benjamini and Hochberg on Fisher's p of firing"),
)  # fmt: skip
UNITS = (
    Column("unit", "unit", "{}"),
    Column("effect", "g", "{:+.2f}", "Hedges' g: difference of means over the pooled deviation"),
    Column("auroc", "AUROC", "{:.3f}", "of the unit alone, on all texts"),
    Column("density", "fires", "{:.3f}", "share of texts with another value than 0"),
    Column("p_welch", "Welch p", "{:.1e}"),
    Column("p", "exchange p", "{:.4f}"),
    Column("p_maxt", "max-T p", "{:.4f}", "family-wise over the units of the description"),
    Column("p_rank", "rank p", "{:.1e}"),
    Column("p_firing", "firing p", "{:.1e}"),
    Column("least_p", "least p", "{:.1e}", "the least that Welch's can be at this density"),
    Column("words", "largest on"),
)
REACH = (
    Column("density", "fires on", "{:.1%}", "share of the texts"),
    Column("least_p", "least Welch p", "{:.1e}", "of a unit that fires on one class alone, always "
           "with the same value"),
    Column("welch", "Welch", "{:.2f}", "share of simulated units, on one class alone, that reach "
           "the level"),
    Column("rank", "ranks", "{:.2f}"),
    Column("firing", "firing", "{:.2f}"),
    Column("welch_90", "Welch, 90 %", "{:.2f}", "the same with one firing of ten in the other "
           "class"),
)  # fmt: skip


P_OF = {"welch": "Welch's test", "exchange": "labels exchanged"}
"""Tests of a histogram, as they stand at its axis."""
TICKS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000)
APART = 0.08
"""Least distance of two ticks, as a share of the height of a chart."""


def section(facts: Mapping[str, Any], tables: Tables) -> Section | None:
    """The section; None where units were not tested."""
    if SUMMARY not in tables:
        return None
    summary = [row for table in tables[SUMMARY] for row in table.to_pylist()]
    if not summary:
        return None
    power = tables[POWER][0].to_pylist()
    level = power[0]["alpha"]
    blocks: list[str | Table | Charts] = [
        "Each unit is tested alone: does it differ between the classes? Welch's t test is what was "
        "published. It takes columns for nearly normal, which codes that are mostly zero are not, "
        "so that three tests that hold for them stand beside it. Many tests find something where "
        "there is nothing; the columns by chance and two or more say how much.",
        *by_vector(
            facts,
            COUNTS,
            counted(facts, summary),
            f"Significant units. Level of a unit alone {level:.0e}, else family-wise or false "
            "discovery rate 5 %.",
            "readout/units/{site}.parquet",
        ),
        *histograms(facts, tables),
        "A unit that fires on few texts cannot be significant by Welch's test, however well it "
        "stands for the class: fewer significant features may be no more than less power.",
        Table(
            REACH,
            reach(power),
            f"Power at a unit's density, {power[0]['n_1']:,} against {power[0]['n_0']:,} texts, "
            f"level {level:.0e}: units that fire on one class alone, simulated.",
            "readout/units/{site}-power.parquet",
        ),
        *lists(facts, tables),
    ]
    return Section("units", "Units", "Unit by unit", answer(facts, summary), blocks)


def answer(facts: Mapping[str, Any], summary: Sequence[Row]) -> list[str]:
    """Sentences on what was seen, of the first site with cells and the first convention."""
    site = next(iter(sites_with_cells(facts)), None)
    ours = [r for r in summary if (r["site"], r["convention"]) == (site, facts["vectors"][0])]
    if not ours:
        return []
    welch = {}
    for row in ours:
        if (row["test"], row["rule"]) == ("welch", "alpha"):
            welch.setdefault(key_of(facts, row), []).append(row)
    expected = ", ".join(
        f"{welch[key][0]['expected']:.2g} {LINES[key].units}"
        for key in ("x", "codes")
        if key in welch
    )
    text = (
        f"Unit by unit at {site}, Welch's test as published finds "
        f"{significant(facts, ours, 'welch', 'alpha')}; if nothing differed it would find "
        f"{expected}. The test that holds for sparse units (labels exchanged, family-wise 5 %) "
        f"finds {significant(facts, ours, 'exchange', 'max-T')}."
    )
    beyond = [row["out_of_reach"] for row in welch.get("codes", ())]
    if any(beyond):
        text += f" {several(beyond)} features fire on too few texts for Welch's test to see them."
    return [text]


def significant(facts: Mapping[str, Any], rows: Sequence[Row], test: str, rule: str) -> str:
    """Numbers of significant units by a test and rule, those of several SAEs as one."""
    of: dict[str, list[Row]] = {}
    for row in rows:
        if (row["test"], row["rule"]) == (test, rule):
            of.setdefault(key_of(facts, row), []).append(row)
    return ", ".join(
        f"{several([r['significant'] for r in of[key]])} of {of[key][0]['units']:,} "
        f"{LINES[key].units}"
        for key in ("x", "codes", "frozen", "random")
        if key in of
    )


def counted(facts: Mapping[str, Any], summary: Sequence[Row]) -> list[dict[str, Any]]:
    """A row a description, with the counts of its tests side by side."""
    out: dict[tuple[Any, ...], dict[str, Any]] = {}
    names = {
        ("welch", "alpha"): "welch",
        ("welch", "bonferroni"): "bonferroni",
        ("exchange", "max-T"): "maxt",
        ("exchange", "bh"): "bh",
        ("rank", "bh"): "rank",
        ("firing", "bh"): "firing",
    }
    for row in summary:
        key = (row["site"], row["cell"], row["representation"], row["convention"])
        start = {"where": name_of(facts, row), "vector": row["convention"], "firing": None}
        own = out.setdefault(key, start | {"units": row["units"], "constant": row["constant"]})
        name = names.get((row["test"], row["rule"]))
        if name:
            own[name] = row["significant"]
        if name == "welch":
            own |= {"expected": row["expected"], "two": row["two_or_more"]}
            own["beyond"] = row["out_of_reach"]
    return list(out.values())


def reach(power: Sequence[Row]) -> list[dict[str, Any]]:
    """A row a density."""
    of = {(r["density"], r["purity"], r["test"]): r for r in power}
    return [
        {
            "density": density,
            "least_p": of[density, 1.0, "welch"]["least_p"],
            **{test: of[density, 1.0, test]["power"] for test in ("welch", "rank", "firing")},
            "welch_90": of[density, 0.9, "welch"]["power"],
        }
        for density in dict.fromkeys(r["density"] for r in power)
    ]


# --- histograms -----------------------------------------------------------------------------


def histograms(facts: Mapping[str, Any], tables: Tables) -> list[Charts]:
    """The histograms of each site: p as published, and all p over what chance gives."""
    drawn = []
    for table in tables[HISTOGRAMS]:
        rows = [r for r in table.to_pylist() if r["convention"] == facts["vectors"][0]]
        if not rows:
            continue
        site = rows[0]["site"]
        drawn.append(chart(facts, rows, site, "welch", "small"))
        drawn.append(chart(facts, rows, site, "welch", "whole"))
        drawn.append(chart(facts, rows, site, "exchange", "whole"))
    if not drawn:
        return []
    return [
        Charts(
            drawn,
            "Histograms of p of all units that are not silent, heights by their square root. Of "
            "each site first the range and the ten bins that were published, as numbers of units; "
            "then all p, as units for each that chance gives: exact tests of nothing lie at 1 "
            "everywhere, a rise at 0 is what "
            "differs, and a rise at 1 is a test that sees too little. Features that fire on one "
            "or two texts have few different p, which makes peaks. " + KEY,
        )
    ]


def apart(values: Sequence[float], place: Callable[[float], float]) -> list[float]:
    """The ticks whose words do not lie on one another, from the first on."""
    out: list[float] = []
    for value in values:
        if not out or place(value) - place(out[-1]) >= APART:
            out.append(value)
    return out


def chart(facts: Mapping[str, Any], rows: Sequence[Row], site: str, test: str, span: str) -> Markup:
    """A histogram of all descriptions of a site on one axis, a line each; of several SAEs of one
    kind the first."""
    lines: dict[str, list[Row]] = {}
    first: dict[str, str | None] = {}
    for row in rows:
        key = key_of(facts, row)
        if (row["test"], row["range"]) != (test, span) or first.setdefault(key, row["cell"]) != row[
            "cell"
        ]:
            continue
        lines.setdefault(key, []).append(row)
    height: Callable[[Row], float] = (
        (lambda r: r["units"])
        if span == "small"
        else (lambda r: r["units"] / r["expected"] if r["expected"] else 0.0)
    )
    top = max([1.0, *(height(r) for of in lines.values() for r in of)])
    end = max((r["high"] for of in lines.values() for r in of), default=1.0)
    place_x, place_y = charts.linear(0, end), charts.root(1.05 * top)
    marks, ends = [], []
    for key, of in lines.items():
        places = [(place_x(r[edge]), place_y(height(r))) for r in of for edge in ("low", "high")]
        here = sum(r["units"] for r in of)
        title = f"{LINES[key].words}, {of[0]['of']:,} units, {here:,} of them here"
        marks.append(charts.line(places, LINES[key].style, title))
        ends.append((places[-1][1], (LINES[key].words, LINES[key].style)))
    if span == "whole":
        marks.append(charts.line([(0, place_y(1)), (1, place_y(1))], "level"))
    heights = charts.spread([y for y, _ in ends], 0.11)
    notes = charts.ended(heights, [end for _, end in ends])
    words = "units" if span == "small" else "units / by chance"
    ticks = apart([v for v in TICKS if v <= 1.05 * top], place_y)
    return charts.plot(
        f"{site}, {TESTS[test][1]}: histogram of p from 0 to {end:g}",
        charts.Axis(
            place_x, [(v, charts.shown(v)) for v in charts.rounded(0, end)], f"p, {P_OF[test]}"
        ),
        charts.Axis(place_y, [(v, charts.shown(v)) for v in ticks], f"{site}, {words}"),
        marks,
        notes,
        "ended wide",
    )


# --- lists ------------------------------------------------------------------------------------


def link(facts: Mapping[str, Any], row: Row) -> dict[str, str]:
    """The address of a feature's page, where the unit is a feature."""
    if row["representation"] != "codes":
        return {}
    cell = f"{quote(facts['corpus'])}/cells/{quote(row['cell'])}"
    return {"href": f"{cell}/features.html#{row['unit']}"}


def lists(facts: Mapping[str, Any], tables: Tables) -> list[Table]:
    """The strongest units of x and of each cell, opened by a click; the first convention."""
    out: dict[str, list[dict[str, Any]]] = {}
    for table in tables[LISTED]:
        for row in table.to_pylist():
            if row["convention"] == facts["vectors"][0] and row["representation"] in ("x", "codes"):
                shown = {**row, "words": ", ".join(row["words"]), **link(facts, row)}
                out.setdefault(name_of(facts, row), []).append(shown)
    return [
        Table(UNITS, rows, f"Units of {name}: significant ones first, then the strongest others",
              "readout/units/{site}-listed.parquet", is_folded=True)
        for name, rows in out.items()
    ]  # fmt: skip
