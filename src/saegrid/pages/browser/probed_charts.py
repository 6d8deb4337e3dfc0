"""The charts of the section of probes."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

from markupsafe import Markup

from saegrid.pages.browser import charts
from saegrid.pages.browser.charts import Axis
from saegrid.pages.browser.sentences import decimal

Row = Mapping[str, Any]
AREA = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MOST = 10
"""Lines of a chart that have a name."""
BESIDE = {"x": "rest solid", "pca": "rest dash", "random": "rest dotted"}
"""Styles of lines of what has no SAE; dotted ones are nulls."""
LEARNED = ("solid", "dash", "dot-dash")
"""Dashes of the SAEs of a site, one after the other; a null is dotted."""


def _groups(rows: Sequence[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    out: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        out.setdefault(tuple(row[key] for key in keys), []).append(row)
    return out


def _areas(values: Sequence[float], words: str = "AUC") -> Axis:
    low = min([0.45, *(0.05 * int(value / 0.05) for value in values)])
    ticks = [(value, charts.shown(value)) for value in AREA]
    return Axis(charts.linear(low, 1.02), ticks, words)


def curves(rows: Sequence[Row]) -> list[Markup]:
    """A chart a site: AUC over the number of units, a line a description; those of SAEs in colour,
    with the interval of the first."""
    out = []
    for (site,), some in _groups(rows, "site").items():
        known = [row for row in some if row["auc"] is not None]
        ks = sorted({row["k"] for row in known})
        if len(ks) < 2:
            continue
        y = _areas([row["low"] for row in known if row["low"] is not None])
        span = log(ks[-1] / ks[0])
        place = {k: log(k / ks[0]) / span for k in ks}
        x = Axis(lambda k, place=place: place[k], [(k, str(k)) for k in ks], "units")
        marks = [charts.line([(0, y.place(0.5)), (1, y.place(0.5))], "level")]
        ends: list[tuple[float, tuple[str, str]]] = []
        banded, learned = False, 0
        for (name,), line in _groups(known, "described").items():
            is_sae = line[0]["representation"] == "codes"
            style = _style(line[0], learned)
            learned += is_sae and not line[0]["null"]
            points = [(place[row["k"]], y.place(row["auc"])) for row in line]
            if is_sae and not banded:
                banded = True
                edges = [
                    (place[row["k"]], y.place(row["low"]), y.place(row["high"])) for row in line
                ]
                marks.insert(0, charts.band(edges, "band"))
            marks.append(charts.line(points, style, name))
            kind = "dot small" if is_sae else "ring small"
            marks += [
                charts.dots([at], kind, _title(row)) for at, row in zip(points, line, strict=True)
            ]
            ends.append((points[-1][1], (name, style)))
        heights = charts.spread([at for at, _ in ends[:MOST]], 0.09)
        notes = charts.ended(heights, [end for _, end in ends[:MOST]])
        label = f"{site}: AUC over the number of units, a line a description"
        x = x._replace(words=f"units, {site}")
        out.append(charts.plot(label, x, y, marks, notes, "wide"))
    return out


def _style(row: Row, learned: int) -> str:
    """The style of a line, after so many lines of SAEs that learned."""
    if row["representation"] != "codes":
        return BESIDE.get(row["representation"], "rest dot-dash")
    return "line dotted" if row["null"] else f"line {LEARNED[learned % len(LEARNED)]}"


def _title(row: Row) -> str:
    units = "unit" if row["k"] == 1 else "units"
    return f"{row['described']}, {row['k']} {units}: {decimal(row['auc'])}"


def histograms(rows: Sequence[Row]) -> list[Markup]:
    """A chart a site and control: how often each selectivity came out, of x and the first SAE."""
    out = []
    for (site, protocol), some in _groups(rows, "site", "protocol").items():
        of_x = next((row for row in some if row["representation"] == "x"), None)
        coded = next((row for row in some if row["representation"] == "codes"), None)
        shown = [(row, kind) for row, kind in ((of_x, "bar"), (coded, "bar first")) if row]
        if not shown:
            continue
        edges = [edge for row, _ in shown for edge in row["edges"]]
        low, high = min([0.0, *edges]), max([0.0, *edges])
        margin = 0.04 * (high - low or 1)
        low, high = low - margin, high + margin
        head = 1.08 + 0.16 * (len(shown) - 1)  # room for names
        top = head * max(count for row, _ in shown for count in row["counts"])
        ticks = [(v, charts.shown(v)) for v in charts.rounded(low, high, 5)]
        words = {"types": "labels of types", "published": "as published"}[protocol]
        x = Axis(charts.linear(low, high), ticks, f"selectivity, {words}")
        y_ticks = [(v, charts.shown(v)) for v in charts.rounded(0, top, 4)]
        y = Axis(charts.linear(0, top), y_ticks, f"controls, {site}")
        marks, notes = [], []
        for place, (row, kind) in enumerate(shown):
            for count, left, right in zip(
                row["counts"], row["edges"][:-1], row["edges"][1:], strict=True
            ):
                title = f"{row['described']}, {left:.3f} to {right:.3f}: {count:,}"
                box = [(x.place(left), x.place(right), 0.0, y.place(count))]
                marks.append(charts.boxes(box, f"{kind} over", title))
            middle = f"{row['described']}: {decimal(row['selectivity'])}"
            key = "key box first strong" if place else "key box"
            notes.append((1.0, 1 - 0.12 * place, middle, key))
        zero = x.place(0)
        marks.append(charts.line([(zero, 0), (zero, 1)], "level"))
        label = f"{site}: histogram of selectivities over control tasks, {words}"
        out.append(charts.plot(label, x, y, marks, notes))
    return out


def losses(rows: Sequence[Row]) -> list[Markup]:
    """A chart a cell: AUC of x, x_hat, codes and error with their intervals."""
    out = []
    names = ("x", "x_hat", "codes", "error")
    shown = {"x_hat": "x̂"}
    ticks = [(at, shown.get(name, name)) for at, name in enumerate(names)]
    for (site, described), some in _groups(rows, "site", "described").items():
        of = {row["part"]: row for row in some}
        known = [(at, of[name]) for at, name in enumerate(names) if of[name]["auc"] is not None]
        if not known:
            continue
        lows = [row["low"] if row["low"] is not None else row["auc"] for _, row in known]
        y, place = _areas(lows), charts.linear(-0.5, len(names) - 0.5)
        x = Axis(place, ticks, f"{described}, {site}")
        marks = [charts.line([(0, y.place(0.5)), (1, y.place(0.5))], "level")]
        for at, row in known:
            kind = "line" if row["part"] in ("x_hat", "codes") else "rest"
            if row["low"] is not None:
                ends = [(place(at), y.place(row[end])) for end in ("low", "high")]
                marks.append(charts.line(ends, kind))
            mark = "dot" if kind == "line" else "ring"
            title = f"{row['part']}: {decimal(row['auc'])}"
            marks.append(charts.dots([(place(at), y.place(row["auc"]))], mark, title))
        label = f"{described} at {site}: AUC of x, its reconstruction, codes and error"
        out.append(charts.plot(label, x, y, marks))
    return out
