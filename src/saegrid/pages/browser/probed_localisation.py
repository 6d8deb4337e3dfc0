"""The section of a page of probes on localisation: few units or many, and what an SAE is worth."""

from collections.abc import Mapping, Sequence
from math import isinf
from typing import Any

import numpy as np
from markupsafe import Markup

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
from saegrid.pages.browser.sentences import decimal

OUTPUTS = {
    name: f"readout_localisation.{name}"
    for name in ("curves", "spread", "stability", "metric", "bands")
}
SPREAD = (
    Column("where", "units of"),
    Column("vector", "vector"),
    Column("units", "units", "{:,}"),
    Column("l0", "active", "{:,.1f}", "units that are not 0 on a text, on average"),
    Column("auroc", "all units", "{:.3f}", "held-out AUROC of a probe on all of them"),
    Column("one", "one unit", "{:.3f}", "held-out AUROC of one, chosen in the training folds"),
    Column("five", "five", "{:.3f}"),
    Column("participation", "participation", "{:,.1f}", "(sum |w|)^2 / sum w^2 of the weights of "
           "all units, times the deviation of each: over how many units the label is spread"),
    Column("own", "for 90 % of its own", "", "units whose AUROC above .5 is the share of that of "
           "all units of the description, with a 95 % interval over words"),
    Column("of_x", "for 90 % of x", "", "the same of all channels of x"),
)  # fmt: skip
METRIC = (
    Column("cell", "SAE"),
    Column("vector", "vector"),
    Column("k", "k", "{}"),
    Column("value", "E", "{:.3f}"),
    Column("low", "low", "{:.3f}", "lower end of the 95 % interval over words"),
    Column("high", "high", "{:.3f}", "upper end"),
    Column("first", "from k", "{:.3f}", "(AUROC of k features - .5) / (AUROC of x - .5)"),
    Column("fvu", "FVU", "{:.3f}", "share of the variance of the vectors that is lost"),
    Column("verdict", "beside the band of seeds"),
)
STABLE = (
    Column("where", "units of"),
    Column("method", "selected by"),
    Column("selected", "in a half", "{:.1f}", "units selected in half of the words, on average"),
    Column("stable", "stable", "{:,}", "units that the threshold's share of the halves selects"),
    Column("bound", "by chance", "{:.2f}", "stable units without an effect, at most"),
    Column("units", "which", "", "with the share of halves"),
)
METRIC_WORDS = (
    "The combined metric: E(k) = (AUROC of k features - .5) / (AUROC of all channels of x - .5) * "
    "(1 - FVU), where FVU is the share of the variance of x that the SAE does not explain. 1 is an "
    "SAE whose k features tell as much as all of x and that loses nothing of x. "
    "On planted dictionaries it orders true, noisy, mixed, half missing and random ones as it "
    "should, which neither factor does alone; but nothing in it asks for sparse codes, so that the "
    "number of active units stands in the table above. Where x does not tell the classes apart, it "
    "is not defined. SAEs that differ in their seed alone have different E: the value of another "
    "seed lies in their band with a chance of 95 %, and what lies in the band is not ranked."
)


def section(facts: Mapping[str, Any], tables: Tables) -> Section | None:
    """The section; None where localisation was not asked for."""
    if OUTPUTS["curves"] not in tables:
        return None
    rows = {
        name: [row for table in tables[output] for row in table.to_pylist()]
        for name, output in OUTPUTS.items()
    }
    if not rows["curves"]:
        return None
    drawn = [
        curve(facts, rows, site, candidates)
        for site in sites_with_cells(facts)
        for candidates in ("all", "equal")
    ]
    blocks: list[str | Table | Charts] = [
        "Is the label in a few units or spread over many? Units are chosen in the training folds, "
        "and a probe on them predicts words that it did not learn from. A description with more "
        "units has more to choose from, so that each site has two charts.",
        Charts(
            drawn,
            "Held-out AUROC against the number of units: of each site chosen from all units, then "
            "from as many for every description. Shaded: the range over seeds of learned features. "
            "Components are in units of their deviation, so that nearly as many of them as there "
            "are words say nothing. " + KEY,
        ),
        *by_vector(
            facts,
            SPREAD,
            spread(facts, rows),
            "Over how many units the label is spread.",
            "readout/localisation/{site}-spread.parquet",
        ),
        METRIC_WORDS,
    ]
    if rows["metric"]:
        metrics = metric(facts, rows)
        source = "readout/localisation/{site}-metric.parquet"
        blocks += by_vector(facts, METRIC, metrics, "The combined metric of each SAE.", source)
    stable = stability(facts, rows)
    caption = "Units that are selected again and again from halves of the words"
    source = "readout/localisation/{site}-stability.parquet"
    blocks.append(Table(STABLE, stable, caption, source, is_folded=True))
    return Section(
        "localisation", "Localisation", "Few units or many?", answer(facts, rows), blocks
    )


def learned(facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]], site: str) -> list[str]:
    """The cells of a site whose features were learned: of the first settings, all seeds."""
    ours = [r for r in rows["metric"] if r["site"] == site and key_of(facts, r) == "codes"]
    return list(dict.fromkeys(r["cell"] for r in ours if r["group"] == ours[0]["group"]))


def lines(
    facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]], site: str, candidates: str
) -> dict[str, dict[int | None, list[Row]]]:
    """Rows of each line at each number of units, of the first convention: several of several seeds.
    Neurons are those of the same layer."""
    neurons = site[:-1] + "N"
    cells = learned(facts, rows, site)
    out: dict[str, dict[int | None, list[Row]]] = {}
    first: dict[str, str | None] = {}
    for row in rows["curves"]:
        key = key_of(facts, row)
        if (row["candidates"], row["convention"]) != (candidates, facts["vectors"][0]):
            continue
        if row["site"] != site and not (row["site"] == neurons and key == "neurons"):
            continue
        if key == "codes" and row["cell"] not in cells:
            continue
        if key != "codes" and first.setdefault(key, row["cell"]) != row["cell"]:
            continue
        out.setdefault(key, {}).setdefault(row["k"], []).append(row)
    return {key: out[key] for key in LINES if key in out}


def curve(
    facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]], site: str, candidates: str
) -> Markup:
    """AUROC against the number of units, a line a description."""
    of = lines(facts, rows, site, candidates)
    ks = sorted({k for line in of.values() for k in line if k is not None})
    steps: list[int | None] = [*ks, None]
    place_x = {k: i / max(len(steps) - 1, 1) for i, k in enumerate(steps)}
    every = [r["auroc"] for line in of.values() for several in line.values() for r in several]
    low, high = min([0.5, *every]), max(every, default=1.0)
    place_y = charts.linear(low - 0.02, high + 0.02)
    marks, ends = [charts.line([(0, place_y(0.5)), (1, place_y(0.5))], "level")], []
    for key, line in of.items():
        at = sorted(line.items(), key=lambda item: place_x[item[0]])
        values = [(place_x[k], [r["auroc"] for r in several], several[0]) for k, several in at]
        if key == "codes" and len(at[0][1]) > 1:
            edges = [(x, place_y(min(v)), place_y(max(v))) for x, v, _ in values]
            marks.append(charts.band(edges, "band"))
        places = [(x, place_y(float(np.mean(v)))) for x, v, _ in values]
        n = values[0][2]["n_candidates"]
        marks.append(charts.line(places, LINES[key].style, f"{LINES[key].words}, from {n:,}"))
        marks += [
            charts.dots(
                [place],
                "dot small" if key == "codes" else "ring small",
                f"{LINES[key].words}, {'all' if r['k'] is None else r['k']}: {np.mean(v):.3f} "
                f"(interval of one {r['low']:.3f} to {r['high']:.3f})",
            )
            for place, (_, v, r) in zip(places, values, strict=True)
        ]
        ends.append((places[-1][1], (LINES[key].words, LINES[key].style)))
    heights = charts.spread([y for y, _ in ends], 0.11)
    notes = charts.ended(heights, [end for _, end in ends])
    ticks = [(place_x[k], "all" if k is None else f"{k:,}") for k in steps]
    name = "all" if candidates == "all" else "equally many"
    return charts.plot(
        f"{site}: held-out AUROC against the number of units, of {name}",
        charts.Axis(lambda at: at, ticks, f"units, of {name}"),
        charts.Axis(
            place_y, [(v, charts.shown(v)) for v in charts.rounded(low, high)], f"{site}, AUROC"
        ),
        marks,
        notes,
        "ended wide",
    )


def answer(facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]]) -> list[str]:
    """Sentences on what was seen at the first site with cells, in the first convention."""
    out = []
    for site in sites_with_cells(facts)[:1]:
        of = lines(facts, rows, site, "all")
        ones = [
            f"{LINES[key].words} {np.mean([r['auroc'] for r in line[1]]):.2f}"
            for key, line in of.items()
            if 1 in line
        ]
        whole = of["x"][None][0] if "x" in of else None
        text = f"Held-out AUROC of a single unit at {site}: {', '.join(ones)}"
        if whole:
            text += (
                f"; of all channels of x {whole['auroc']:.2f} ({whole['low']:.2f} to "
                f"{whole['high']:.2f})"
            )
        out.append(text + ".")
        out += verdict(facts, rows, site)
    return out


def verdict(facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]], site: str) -> list[str]:
    """The combined metric of the seeds, and where a frozen SAE stands to their band."""
    vector, cells = facts["vectors"][0], learned(facts, rows, site)
    ours = [r for r in rows["metric"] if (r["site"], r["convention"], r["k"]) == (site, vector, 1)]
    values = [r["value"] for r in ours if r["cell"] in cells]
    if not values:
        return []
    if None in values:
        reason = next(r["reason"] for r in ours if r["cell"] in cells and r["value"] is None)
        return [f"The combined metric is not defined at {site}: {reason}."]
    text = (
        f"The combined metric E(1) at {site} is {several(values, '{:.2f}')} for {len(values)} SAE"
    )
    text += "s that differ in their seed alone" if len(values) > 1 else ""
    bands = [
        r for r in rows["bands"]
        if (r["site"], r["convention"], r["k"]) == (site, vector, 1) and r["cell"]
    ]  # fmt: skip
    frozen = {r["of"]: r for r in reversed(bands) if facts["frozen"][r["cell"]] != "none"}
    if "value" in frozen:
        text += f"; of one with a frozen part it is {beside(frozen['value'])}"
    if "first" in frozen:
        text += f"; without the factor of the error {beside(frozen['first'])}"
    return [text + "."]


def beside(row: Row) -> str:
    """A value beside the band of the seeds, in words."""
    value, low, high = (decimal(row[name], 2) for name in ("value", "low", "high"))
    return f"{value}, {row['verdict']} the band of another seed ({low} to {high})"


# --- tables -----------------------------------------------------------------------------------


def spread(facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """A row a description."""
    at = {
        (r["site"], r["cell"], r["representation"], r["convention"], r["k"]): r["auroc"]
        for r in rows["curves"]
        if r["candidates"] == "all"
    }
    out = []
    for row in rows["spread"]:
        key = (row["site"], row["cell"], row["representation"], row["convention"])
        shown = {"where": name_of(facts, row), "vector": row["convention"]}
        shown |= {name: row[name] for name in ("units", "l0", "auroc", "participation")}
        shown |= {"one": at.get((*key, 1)), "five": at.get((*key, 5))}
        out.append(shown | {"own": needed(row, "own"), "of_x": needed(row, "x")})
    return out


def needed(row: Row, of: str) -> str:
    """Units that are needed, with their interval, as words."""
    if row[f"{of}_k"] is None:
        return "–"
    k, low, high = (count(row[f"{of}_{name}"]) for name in ("k", "low", "high"))
    return f"{k} ({low} to {high})"


def count(value: float | None) -> str:
    """A number of units; more where none that was tried is enough."""
    if value is None:
        return "–"
    return "more" if isinf(value) else f"{value:,.0f}"


def limits(band: Row) -> str:
    """The ends of a band."""
    return f"{decimal(band['low'])} to {decimal(band['high'])}"


def metric(facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """A row an SAE and number of features."""
    ours = [r for r in rows["bands"] if r["of"] == "value"]
    bands = {(r["convention"], r["k"], r["cell"]): r for r in ours}
    own = {(r["site"], r["convention"], r["k"], r["group"]): r for r in ours}
    out = []
    for row in rows["metric"]:
        shown = {name: row[name] for name in ("k", "value", "low", "high", "first", "fvu")}
        shown |= {"cell": name_of(facts, row), "vector": row["convention"]}
        band = own.get((row["site"], row["convention"], row["k"], row["group"]))
        other = bands.get((row["convention"], row["k"], row["cell"]))
        if row["reason"]:
            shown["verdict"] = row["reason"]
        elif band:
            shown["verdict"] = f"one of {band['n']}, {limits(band)}"
        elif other:
            shown["verdict"] = f"{other['verdict']} {limits(other)}"
        else:
            shown["verdict"] = "no band: fewer than three seeds"
        out.append(shown)
    return out


def stability(facts: Mapping[str, Any], rows: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """A row a description and way of selection; the first convention."""
    out = []
    for row in rows["stability"]:
        if row["convention"] != facts["vectors"][0]:
            continue
        pairs = list(zip(row["units"], row["shares"], strict=True))
        shown = {name: row[name] for name in ("method", "selected", "stable", "bound")}
        shown["where"] = name_of(facts, row)
        shown["units"] = ", ".join(f"{unit} ({share:.2f})" for unit, share in pairs[:12])
        out.append(shown | {"units": shown["units"] + (", ..." if len(pairs) > 12 else "")})
    return out
