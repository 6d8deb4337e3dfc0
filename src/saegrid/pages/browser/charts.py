"""Charts as markup: they take the width that the page has, and need no script.

Marks lie in an SVG that is stretched over the plot, letters beside it in HTML, so that these keep
their size on a narrow screen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from markupsafe import Markup

SPAN = 1000
"""Units of a plot in either direction."""
STEPS = 5
"""Shades of a plot of counts."""


Note = tuple[float, float, str, str]
"""Words beside marks: x and y from 0 to 1, the text and the class."""


class Axis(NamedTuple):
    """An axis: where a value lies, from 0 to 1, and the ticks that are written."""

    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]
    words: str


def linear(low: float, high: float) -> Callable[[float], float]:
    """The place of a value between two; those beyond lie on the edge."""
    span = (high - low) or 1.0
    return lambda value: min(1.0, max(0.0, (value - low) / span))


def root(high: float) -> Callable[[float], float]:
    """The place by the square root, from 0 on."""
    return lambda value: min(1.0, max(0.0, value / (high or 1.0))) ** 0.5


def rounded(low: float, high: float, most: int = 5) -> list[float]:
    """At most so many round numbers from low to high."""
    span = high - low
    if span <= 0:
        return [low]
    step = 10.0**-12
    while True:
        for factor in (1, 2, 5):
            if span / (step * factor) <= most - 1 + 1e-9:
                width = step * factor
                first = ceil(low / width - 1e-9)
                return [
                    round(i * width, 12)
                    for i in range(first, first + most + 1)
                    if low - 1e-9 <= i * width <= high + 1e-9
                ]
        step *= 10


def shown(value: float) -> str:
    """A tick: no trailing zeros, a typographic minus."""
    return f"{value:,.6g}".replace("-", "−") if abs(value) < 1e15 else f"{value:g}"


def plot(
    label: str,
    x: Axis,
    y: Axis,
    marks: Iterable[Markup],
    notes: Iterable[Note] = (),
    kind: str = "",
) -> Markup:
    """A plot with its axes."""
    grid = Markup("").join(
        Markup('<path class="axis" d="M0 {y}h{w}"/>').format(y=_down(y.place(value)), w=SPAN)
        for value, _ in y.ticks
    )
    ticks = Markup("").join(
        [
            *(
                Markup('<span class="x" style="left:{at:.2f}%">{words}</span>').format(
                    at=100 * x.place(value), words=words
                )
                for value, words in x.ticks
            ),
            *(
                Markup('<span class="y" style="bottom:{at:.2f}%">{words}</span>').format(
                    at=100 * y.place(value), words=words
                )
                for value, words in y.ticks
            ),
            *(
                Markup(
                    '<span class="note {kind}" style="left:{left:.2f}%;bottom:{at:.2f}%">{words}'
                    "</span>"
                ).format(kind=kind, left=100 * left, at=100 * at, words=words)
                for left, at, words, kind in notes
            ),
        ]
    )
    return Markup(
        '<div class="chart {kind}" role="img" aria-label="{label}"><span class="yname">{yname}'
        '</span><div class="plot"><svg viewBox="0 0 {span} {span}" preserveAspectRatio="none" '
        'aria-hidden="true">{grid}{marks}</svg>{ticks}</div><span class="xname">{xname}</span>'
        "</div>"
    ).format(
        kind=kind,
        label=label,
        yname=y.words,
        xname=x.words,
        span=SPAN,
        grid=grid,
        marks=Markup("").join(marks),
        ticks=ticks,
    )


def line(places: Sequence[tuple[float, float]], kind: str, title: str = "") -> Markup:
    """A line through places from 0 to 1."""
    d = "".join(f"{'L' if i else 'M'}{SPAN * x:.1f} {_down(y)}" for i, (x, y) in enumerate(places))
    return Markup('<path class="{kind}" d="{d}">{title}</path>').format(
        kind=kind, d=d, title=_title(title)
    )


def band(places: Sequence[tuple[float, float, float]], kind: str) -> Markup:
    """An area between (x, low, high)."""
    over = [(x, high) for x, _, high in places]
    under = [(x, low) for x, low, _ in reversed(places)]
    d = "".join(
        f"{'L' if i else 'M'}{SPAN * x:.1f} {_down(y)}" for i, (x, y) in enumerate([*over, *under])
    )
    return Markup('<path class="{kind}" d="{d}Z"/>').format(kind=kind, d=d)


def dots(places: Iterable[tuple[float, float]], kind: str, title: str = "") -> Markup:
    """Round marks of one kind; a stretched plot keeps them round."""
    d = "".join(f"M{SPAN * x:.1f} {_down(y)}h0" for x, y in places)
    return Markup('<path class="{kind}" d="{d}">{title}</path>').format(
        kind=kind, d=d, title=_title(title)
    )


def boxes(
    places: Iterable[tuple[float, float, float, float]], kind: str, title: str = ""
) -> Markup:
    """Filled boxes of one kind: left, right, bottom, top."""
    d = "".join(
        f"M{SPAN * left:.1f} {_down(bottom)}V{_down(top)}H{SPAN * right:.1f}V{_down(bottom)}Z"
        for left, right, bottom, top in places
    )
    return Markup('<path class="{kind}" d="{d}">{title}</path>').format(
        kind=kind, d=d, title=_title(title)
    )


def link(href: str, marks: Markup) -> Markup:
    """Marks that open a page."""
    return Markup(
        '<a href="{href}" target="_blank" rel="noopener" tabindex="-1">{marks}</a>'
    ).format(href=href, marks=marks)


def _title(words: str) -> Markup:
    return Markup("<title>{}</title>").format(words) if words else Markup("")


def _down(y: float) -> str:
    return f"{SPAN * (1 - y):.1f}"


def spread(places: Sequence[float], least: float) -> list[float]:
    """Places of labels, pushed apart to at least so much, in their order, within 0 to 1."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    apart = [places[i] for i in order]
    for i in range(1, len(apart)):
        apart[i] = max(apart[i], apart[i - 1] + least)
    excess = apart[-1] - 1 if apart else 0
    if excess > 0:
        apart[-1] = 1.0
        for i in range(len(apart) - 2, -1, -1):
            apart[i] = min(apart[i], apart[i + 1] - least)
    result = [0.0] * len(places)
    for i, value in zip(order, apart, strict=True):
        result[i] = value
    return result


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
    top = max([y_edges[-1], *(point[1] for point in points)])
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


DASHES = ("solid", "dash", "dot-dash", "dotted")


def ended(heights: Sequence[float], ends: Sequence[tuple[str, str]]) -> list[Note]:
    """Names at the ends of lines, each after a piece of its line: of (name, style) of each."""
    return [
        (1.0, height, name, " ".join(["after drawn", *(f"is-{part}" for part in style.split())]))
        for height, (name, style) in zip(heights, ends, strict=True)
    ]


class Curve(NamedTuple):
    """A line over layers: the SAE's name, (layer, share, words)."""

    name: str
    values: list[tuple[int, float, str]]
    kind: str = "line"
    """Class of the line: line is of results, rest of what stands beside."""
    dash: int | None = None
    """Number of its dashes; None: by its place among the curves."""


def layers(
    title: str,
    curves: Sequence[Curve],
    every: Sequence[int],
    top: float,
    words: str = "confirmed, of 100 tested",
    kind: str = "ended",
) -> Markup:
    """A number of cells over layers, a line an SAE size. words: what is counted; kind: class of the
    chart, which leaves room for the names of the lines."""
    known = sorted(set(every))
    step = {layer: i / max(len(known) - 1, 1) for i, layer in enumerate(known)}
    if len(known) == 1:
        step[known[0]] = 0.5
    place_y = linear(0, top or 1)
    marks, ends = [], []
    for k, curve in enumerate(curves):
        places = [(step[layer], place_y(value)) for layer, value, _ in curve.values]
        dash = DASHES[(k if curve.dash is None else curve.dash) % len(DASHES)]
        marks.append(line(places, f"{curve.kind} {dash}"))
        mark = "dot small" if curve.kind == "line" else "ring small"
        marks += [
            dots([at], mark, f"{curve.name}, layer {layer}: {figure}")
            for at, (layer, _, figure) in zip(places, curve.values, strict=True)
        ]
        if places:
            ends.append((places[-1], curve.name))
    heights = spread([y for (_, y), _ in ends], 0.11)
    notes = [(x, y, name, "after") for ((x, _), name), y in zip(ends, heights, strict=True)]
    skip = -(-len(known) // 12)
    ticks = [(step[layer], str(layer)) for i, layer in enumerate(known) if i % skip == 0]
    axis = Axis(lambda at: at, ticks, "layer")
    heads = [(v, shown(v)) for v in rounded(0, top or 1, 4)]
    return plot(title, axis, Axis(place_y, heads, words), marks, notes, kind)


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
