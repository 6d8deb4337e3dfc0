"""Charts as markup: they take the width that the page has, and need no script.

Marks lie in an SVG that is stretched over the plot, letters beside it in HTML, so that these keep
their size on a narrow screen.
"""

from collections.abc import Callable, Iterable, Sequence
from math import ceil, floor
from typing import NamedTuple

from markupsafe import Markup

SPAN = 1000
"""Units of a plot in either direction."""


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
    """At most so many round numbers from low to high, or a few more where there would be fewer than
    two; low alone where high is no larger."""
    span = high - low
    if span <= 0:
        return [low]
    steps = (factor * 10.0**power for power in range(-12, 300) for factor in (1, 2, 5))
    finer = None
    for step in steps:
        if span / step <= most - 1 + 1e-9:
            values = _multiples(step, low, high)
            return _multiples(finer, low, high) if len(values) < 2 and finer else values
        finer = step
    return [low, high]


def _multiples(step: float, low: float, high: float) -> list[float]:
    """The multiples of a step from low to high."""
    first, last = ceil((low - 1e-9 * step) / step), floor((high + 1e-9 * step) / step)
    return [round(i * step, 12) for i in range(first, last + 1)]


def ends(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis; where they are one value, half of it to either side, or 1 around 0."""
    half = 0.0 if high > low else abs(low) / 2 or 1.0
    return low - half, high + half


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
