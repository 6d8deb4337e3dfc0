"""The charts of clusters: the picture, a panel for each cluster, and silhouettes over numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from saegrid.pages.browser import charts
from saegrid.pages.browser.charts import Axis

MOST = 1500
"""Marks of a panel."""
PANELS = 12
"""Panels of a picture."""

Rows = Sequence[Mapping[str, Any]]


def panels(
    members: Rows, heads: Sequence[tuple[Any, str]], column: str
) -> list[tuple[str, Markup]]:
    """(heading, chart) of each cluster or label: its members in colour, all others in grey.

    members: rows of members.parquet of one clustering. heads: values of `column` and their
    headings, of which at most `PANELS` are drawn.
    """
    rows = [row for row in members if row["x"] is not None][:MOST]
    if not rows:
        return []
    place_x, place_y = (_axis([row[name] for row in rows]) for name in ("x", "y"))
    at = [(place_x(row["x"]), place_y(row["y"])) for row in rows]
    drawn = []
    for value, words in heads[:PANELS]:
        own = [row[column] == value for row in rows]
        marks = [charts.dots([p for p, is_own in zip(at, own, strict=True) if not is_own], "other")]
        marks.append(
            charts.dots([p for p, is_own in zip(at, own, strict=True) if is_own], "dot small")
        )
        label = f"{words}: {sum(own)} of {len(rows)} in the first two components"
        none = Axis(lambda value: value, [], "")
        drawn.append((words, charts.plot(label, none, none, marks, (), "bare")))
    return drawn


def _axis(values: Sequence[float]):
    """The place of values between their ends, with room beside them."""
    low, high = min(values), max(values)
    room = 0.05 * ((high - low) or 1.0)
    return charts.linear(low - room, high + room)


def numbers(ks: Rows) -> Markup | None:
    """Silhouette of each number of clusters beside that of shuffled rows, and the stability; None
    where one number was tried."""
    rows = [row for row in ks if row["silhouette"] is not None]
    if len(rows) < 2:
        return None
    place = {row["k"]: i / (len(rows) - 1) for i, row in enumerate(rows)}
    lines = [
        ("silhouette", "silhouette", "line"),
        ("silhouette_null", "shuffled rows", "rest dash"),
    ]
    values = [row[name] for row in rows for name, _, _ in lines if row[name] is not None]
    low, high = min([0.0, *values]), 1.08 * max([*values, 1e-3])
    y = charts.linear(low, high)
    marks, ends = [], []
    for name, words, kind in lines:
        points = [(place[row["k"]], y(row[name])) for row in rows if row[name] is not None]
        if points:
            marks.append(charts.line(points, kind))
            ends.append((points[-1][1], (words, kind)))
    for row in rows:
        title = (
            f"k = {row['k']}: silhouette {row['silhouette']:.3f}, stability {row['stability']:.2f}"
        )
        kind = "dot" if row["chosen"] else "ring small"
        marks.append(charts.dots([(place[row["k"]], y(row["silhouette"]))], kind, title))
    heights = charts.spread([height for height, _ in ends], 0.11)
    notes = charts.ended(heights, [end for _, end in ends])
    x = Axis(lambda k: place[k], [(row["k"], str(row["k"])) for row in rows], "clusters")
    ticks = [(value, charts.shown(value)) for value in charts.rounded(low, high, 4)]
    label = "Silhouette over the number of clusters, beside shuffled rows"
    return charts.plot(label, x, Axis(y, ticks, "silhouette"), marks, notes, "wide")
