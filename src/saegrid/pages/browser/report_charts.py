"""The charts of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from saegrid.pages.browser import charts
from saegrid.pages.browser.charts import Axis
from saegrid.pages.browser.render import formed
from saegrid.pages.browser.sentences import percent

GRID = (0, 0.01, 0.1, 0.5, 1)
"""Ticks of a scale of shares."""


def _layer_axis(layers: Sequence[Mapping[str, Any]]) -> Axis:
    first, last = layers[0]["layer"], layers[-1]["layer"]
    place = charts.linear(first - 0.5, last + 0.5)
    step = max(1, -(-len(layers) // 9))
    return Axis(place, [(r["layer"], str(r["layer"])) for r in layers[::step]], "layer")


def similar(layers: Sequence[Mapping[str, Any]]) -> Markup:
    """Mean cosine of two tokens over layers; the middle is shaded, the chosen layer a dot."""
    x = _layer_axis(layers)
    known = [row for row in layers if row["anisotropy"] == row["anisotropy"]]
    low = min([0.0, *(row["anisotropy"] for row in known)])
    high = max([0.0, *(row["anisotropy"] for row in known)]) * 1.08 or 1.0
    y = Axis(
        charts.linear(low, high),
        [(v, charts.shown(v)) for v in charts.rounded(low, high, 4)],
        "mean cosine of two tokens",
    )
    middle = [x.place(row["layer"]) for row in layers if row["middle"]]
    marks = [charts.band([(middle[0], 0, 1), (middle[-1], 0, 1)], "greyband")] if middle else []
    points = [(x.place(row["layer"]), y.place(row["anisotropy"])) for row in known]
    marks.append(charts.line(points, "rest"))
    notes = []
    for row, at in zip(known, points, strict=True):
        title = f"{row['site']}: {row['anisotropy']:.3f}"
        if row["chosen"]:
            marks.append(charts.dots([at], "dot", title))
            notes.append((at[0], at[1] + 0.09, row["site"], "strong"))
        elif row["trained"]:
            marks += [charts.dots([at], "ring", title), charts.dots([at], "hole", title)]
    label = "Mean cosine of two tokens over layers"
    return charts.plot(label, x, y, marks, notes, "ended")


def norms(layers: Sequence[Mapping[str, Any]]) -> Markup:
    """Mean norm of a token over layers."""
    x, top = _layer_axis(layers), 1.08 * max(row["norm"] for row in layers)
    y = Axis(
        charts.linear(0, top),
        [(v, charts.shown(v)) for v in charts.rounded(0, top, 4)],
        "mean norm of a token",
    )
    points = [(x.place(row["layer"]), y.place(row["norm"])) for row in layers]
    marks = [charts.line(points, "rest")] + [
        charts.dots([at], "dot", f"{row['site']}: {row['norm']:.3g}")
        for row, at in zip(layers, points, strict=True)
        if row["chosen"]
    ]
    return charts.plot("Mean norm of a token over layers", x, y, marks, (), "ended")


def curve(histories: Mapping[str, pa.Table], cell: str) -> Markup | None:
    """The unexplained variance over the tokens of the training; other cells are faint."""
    lines = {
        name: {
            column: [
                (row["tokens"], row[column])
                for row in table.to_pylist()
                if row[column] is not None and np.isfinite(row[column])
            ]
            for column in ("fvu", "held_fvu")
        }
        for name, table in histories.items()
    }
    if cell not in lines or not lines[cell]["fvu"]:
        return None
    every = [at for columns in lines.values() for some in columns.values() for at in some]
    right, top = max(n for n, _ in every), 1.05 * max(value for _, value in every)
    x = Axis(
        charts.linear(0, right),
        [(v, charts.shown(v)) for v in charts.rounded(0, right, 5)],
        "tokens",
    )
    y = Axis(
        charts.linear(0, top),
        [(v, charts.shown(v)) for v in charts.rounded(0, top, 5)],
        "unexplained variance",
    )
    marks, ends = [], []
    for name, columns in sorted(lines.items(), key=lambda one: one[0] == cell):
        for column, some in columns.items():
            points = [(x.place(n), y.place(value)) for n, value in some]
            if not points:
                continue
            own = name == cell
            kind = ("line" if own else "faint") + (" dash" if column == "held_fvu" else "")
            marks.append(charts.line(points, kind, f"{name} {column}"))
            if own:
                marks += [
                    charts.dots([at], "dot small", f"{n:,} tokens: {value:.3f}")
                    for at, (n, value) in zip(points, some, strict=True)
                ]
                ends.append((points[-1], "held out" if column == "held_fvu" else "learned from"))
    heights = charts.spread([at[1] for at, _ in ends], 0.1)
    notes = [
        (1.0, height, words, "after strong")
        for (_, words), height in zip(ends, heights, strict=True)
    ]
    label = f"Unexplained variance of {cell} over the tokens of its training"
    return charts.plot(label, x, y, marks, notes, "wide")


def histogram(codes: Mapping[str, Any]) -> Markup:
    """The sizes of codes: the bar of exact zeros, then those that are not by their size."""
    total = max(codes["zeros"] + codes["active"], 1)
    counts, edges = np.array(codes["counts"]), np.array(codes["edges"])
    live = np.flatnonzero(counts)
    first, last = (int(live[0]), int(live[-1])) if len(live) else (0, 0)
    left = 0.14  # the zeros stand apart from the others
    step = (1 - left) / (last - first + 1)
    y = Axis(charts.root(1.0), [(v, percent(v)) for v in GRID], "share of all codes")
    zeros = codes["zeros"] / total
    share_of_all = formed(zeros, "{:.2%}")
    marks = [
        charts.boxes([(0.02, 0.09, 0, y.place(zeros))], "bar first", f"exactly 0: {share_of_all}")
    ]
    for number_, at in enumerate(range(first, last + 1)):
        share = float(counts[at] / total)
        begin = left + number_ * step
        title = f"{edges[at]:.4g} to {edges[at + 1]:.4g}: {counts[at]:,}"
        marks.append(charts.boxes([(begin, begin + 0.9 * step, 0, y.place(share))], "bar", title))
    inside = [at for at in range(first, last + 1) if at % 4 == 0]
    ticks = [
        (left + (at - first) * step, f"{edges[at]:.2g}") for at in inside[:: -(-len(inside) // 6)]
    ]
    x = Axis(lambda at: at, [(0.055, "0"), *ticks], "z")
    label = "Shares of all codes by their size; the first bar is of those that are exactly zero"
    return charts.plot(label, x, y, marks)
