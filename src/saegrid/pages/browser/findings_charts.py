"""Charts of the page of findings: effect against evidence, p-values, scores of classifiers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from saegrid.pages.browser.charts import (
    Axis,
    band,
    boxes,
    dots,
    ends,
    line,
    linear,
    link,
    plot,
    root,
    rounded,
    shown,
    spread,
)

STEPS = 5
"""Shades of a plot of counts."""


def volcano(contrast: Any, href: Callable[[str, int], str]) -> Markup | None:
    """Effect against evidence: grey boxes of all tests, dots of confirmed and rings of other
    discoveries; None where nothing was tested."""
    facts: Mapping[str, Any] = contrast["volcano"]
    x_edges, y_edges = facts["x_edges"], facts["y_edges"]
    if len(x_edges) < 2 or len(y_edges) < 2:
        return None
    scale = 100 if contrast.is_of_rates else 1
    points = [point for point in facts["points"] if None not in point[:2]]
    low = min([x_edges[0], *(point[0] for point in points)])
    high = max([x_edges[-1], *(point[0] for point in points)])
    low, high = ends(low, high)
    top = max([y_edges[-1], *(point[1] for point in points)]) or 1.0
    place_x, place_y = linear(low, high), root(top)
    most = max((n for _, _, n in facts["counts"]), default=1)
    shades: list[list[tuple[float, float, float, float]]] = [[] for _ in range(STEPS)]
    for i, j, n in facts["counts"]:
        shade = min(STEPS - 1, int(STEPS * (n / most) ** 0.25 - 1e-9))
        shades[shade].append(
            (
                place_x(x_edges[i]),
                place_x(x_edges[i + 1]),
                place_y(y_edges[j]),
                place_y(y_edges[j + 1]),
            )
        )
    marks = [boxes(places, f"shade s{k}") for k, places in enumerate(shades) if places]
    for effect, strength, cell, feature, state in sorted(points, key=lambda p: p[4] == "confirmed"):
        at = [(place_x(effect), place_y(strength))]
        title = f"{cell} #{feature}, {state}"
        if state == "confirmed":
            mark = dots(at, "dot", title)
        else:
            mark = dots(at, "ring", title) + dots(at, "hole", title)
        marks.append(link(href(cell, feature), mark))
    x_ticks = [(v / scale, shown(v)) for v in rounded(scale * low, scale * high)]
    roots = [v for v in (0, 1, 3, 10, 30, 100, 300) if v <= top]
    roots = roots if len(roots) > 2 else rounded(0, top, 4)
    words = "effect, points of firing rate" if contrast.is_of_rates else "effect, Spearman's rho"
    return plot(
        f"{contrast['title']}: effect against minus log ten of p, of every feature that was tested",
        Axis(place_x, x_ticks, words),
        Axis(place_y, [(v, shown(v)) for v in roots], "−log₁₀ p"),
        marks,
    )


def histogram(contrast: Any) -> Markup | None:
    """All p-values, and the height of the bars if there was nothing to find."""
    counts: Sequence[int] = contrast["p_histogram"]
    if not counts or not sum(counts):
        return None
    level, n = sum(counts) / len(counts), len(counts)
    place_y, place_x = linear(0, 1.05 * max(counts)), linear(0, 1)
    marks = [
        boxes(
            [(i / n, (i + 0.92) / n, 0, place_y(value))],
            "bar first" if i == 0 else "bar",
            f"p from {i / n:g} to {(i + 1) / n:g}: {value:,}",
        )
        for i, value in enumerate(counts)
    ]
    marks.append(line([(0, place_y(level)), (1, place_y(level))], "level"))
    return plot(
        f"{contrast['title']}: {sum(counts):,} p-values in {n} bars; the first has {counts[0]:,}, "
        f"with nothing to find each would have about {level:,.0f}",
        Axis(place_x, [(v, shown(v)) for v in (0, 0.25, 0.5, 0.75, 1)], "p"),
        Axis(place_y, [(v, shown(v)) for v in rounded(0, 1.05 * max(counts))], "features"),
        marks,
        [(1, 1, "with nothing to find", "key")],
    )


def scores(probe: Any) -> Markup | None:
    """A classifier's score over the number of features, beside words and ceiling."""
    shown_lines = probe.lines()
    ks = probe.ks
    if not shown_lines.codes or not ks:
        return None
    step = {k: i / max(len(ks) - 1, 1) for i, k in enumerate(ks)}
    if len(ks) == 1:
        step[ks[0]] = 0.5
    every = [row["score"] for row in [*shown_lines.codes, *shown_lines.raw]]
    every += [row["score"] for rows in shown_lines.others for row in rows]
    every += [row[name] for row in shown_lines.codes for name in ("low", "high")]
    words, ceiling = shown_lines.words, shown_lines.ceiling
    every += [words[name] for name in ("score", "low", "high")] if words else []
    every += [] if ceiling is None else [ceiling]
    every = [value for value in every if value is not None and value == value]
    low, high = min([*every, probe.chance_level]), max(every)
    place = linear(low - 0.02 * (high - low), high + 0.04 * (high - low))

    def places(rows: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
        return [(step[row["k"]], place(row["score"])) for row in rows if row["k"] in step]

    marks, ends = [], []
    if words is not None and words.get("low") is not None:
        ends_of = (place(words["low"]), place(words["high"]))
        marks.append(band([(0, *ends_of), (1, *ends_of)], "greyband"))
    marks += [line(places(rows), "faint") for rows in shown_lines.others]
    spans = [
        (step[row["k"]], place(row["low"]), place(row["high"]))
        for row in shown_lines.codes
        if row["low"] is not None and row["high"] is not None
    ]
    if spans:
        marks.append(band(spans, "band"))
    if words is not None:
        marks.append(line([(0, place(words["score"])), (1, place(words["score"]))], "rest"))
        ends.append((place(words["score"]), "words + surprisal", ""))
    if ceiling is not None:
        marks.append(line([(0, place(ceiling)), (1, place(ceiling))], "level"))
        ends.append((place(ceiling), "ceiling", "ink"))
    if shown_lines.raw:
        marks.append(line(places(shown_lines.raw), "rest dash"))
        ends.append((places(shown_lines.raw)[-1][1], "k of x itself", ""))
    best = places(shown_lines.codes)
    marks += [line(best, "line"), dots(best, "dot")]
    ends.append((best[-1][1], f"SAE {shown_lines.codes[0]['cell']}", "strong"))
    heights = spread([y for y, _, _ in ends], 0.085)
    notes = [
        (1, y, name, f"after {kind}") for (_, name, kind), y in zip(ends, heights, strict=True)
    ]
    bottom = low - 0.02 * (high - low)
    return plot(
        f"{probe.title}: {probe.metric} of classifiers over the number of features they read",
        Axis(lambda at: at, [(step[k], str(k)) for k in ks], "number of features that are read"),
        Axis(place, [(v, shown(v)) for v in rounded(bottom, high, 6)], probe.metric),
        marks,
        notes,
        "ended wide",
    )
