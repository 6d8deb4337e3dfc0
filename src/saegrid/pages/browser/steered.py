"""The page of steering: texts without and with an edit side by side, curves, and what happened.

Inclusion is never shown without surprisal and repetitions: it rewards broken text. Every number
names the table and the column that it is from.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from saegrid.interventions import choice_table, dose_table, headline, pooled
from saegrid.interventions.choice_table import GROUPS, OWN
from saegrid.interventions.dose_table import CONTROL, FEATURE, MEANS, NONE
from saegrid.interventions.prompts import REPORT, hits
from saegrid.pages.browser import charts, steered_gains
from saegrid.pages.browser.render import Column, render_study, require
from saegrid.pages.browser.sentences import percent
from saegrid.pages.browser.steered_gains import ARMS, CHOICES, SHORT, Gains, signed

REQUIRED = ("study", "model", "spec", "corpus")
"""Keys that `facts` must hold."""
TEXTS = 2
"""Prompts of a feature whose texts are shown, the first noise of each."""
NAMES = {FEATURE: "the feature", CONTROL: "another feature", MEANS: "difference of means"}
"""Arms of the curves of a cell."""
DASHES = {OWN: 0, "lens": 2, "meaning": 1, "random": 3, FEATURE: 0, CONTROL: 3, MEANS: 1}
"""Dashes of curves; the first is in colour."""
SUMMARY = (
    Column("choice", "features"),
    Column("arm", "steered by"),
    Column("gain", "gain", "{:+.3f}", headline.DEFINITIONS["gain"]),
    Column("low", "low", "{:+.3f}", "lower end of the 95 % interval of the gain"),
    Column("high", "high", "{:+.3f}", "upper end"),
    Column("surprisal_more", "nats more", "{:+.2f}", headline.DEFINITIONS["surprisal_more"]),
    Column("rep3", "repeated", "{:.3f}", headline.DEFINITIONS["rep3"]),
    Column("n_features", "n", "{:,}", "features"),
    Column("n_sound", "sound", "{:,}", headline.DEFINITIONS["n_sound"]),
    Column("norm_share", "of the norm", "{:.2f}", headline.DEFINITIONS["norm_share"]),
)
MEASURES = (
    ("gain", "texts with its words, gain"),
    ("more", "surprisal, nats more"),
    ("rep3", "repeated runs of three"),
    ("delta_target", "log-probability of its words"),
    ("kl", "KL on neutral texts, nats"),
)
"""Measures that have a curve, in the order in which they stand."""


class Cell(NamedTuple):
    """The tables of a cell."""

    name: str
    choice: pa.Table
    doses: pa.Table
    texts: pa.Table
    summary: pa.Table


def steering_page(
    facts: Mapping[str, Any], cells: Sequence[Cell], by_choice: pa.Table, n_shown: int
) -> str:
    """The text of steering.html. The same arguments give the same bytes.

    facts: study, model, spec, corpus, and where known `title`. by_choice: see `pooled.SCHEMA`.
    n_shown: features of each choice and cell whose texts stand on the page.
    """
    require(facts, REQUIRED, "The facts of a page of steering")
    gains = Gains(by_choice)
    parts = [
        {
            "name": cell.name,
            "summary": [
                {**row, "choice": CHOICES[row["choice"]], "arm": ARMS[row["arm"]]}
                for row in cell.summary.to_pylist()
            ],
            "curves": curves(cell.name, arms_of(cell)),
            "groups": [(CHOICES[name], shown) for name, shown in features(cell, n_shown)],
        }
        for cell in cells
    ]
    return render_study(
        "steering.html.jinja",
        facts,
        f"{facts['study']}: steering",
        named=[cell.name for cell in cells],
        verdict=steered_gains.verdict(gains),
        lines=steered_gains.lines(gains),
        panels=steered_gains.panels(gains),
        choices=(steered_gains.ALONE, steered_gains.choices(gains)),
        differences=(steered_gains.APART, steered_gains.differences(gains)),
        curves=curves("all cells", choices_of(cells)),
        columns=SUMMARY,
        cells=parts,
        definitions=_definitions(),
        limits=(f"{headline.NATS:g}", percent(headline.REPEATED)),
        table_name=steered_gains.TABLE,
    )


def _definitions() -> list[tuple[str, str, str]]:
    """Table, column and definition of every number."""
    tables = (
        (steered_gains.TABLE, pooled.DEFINITIONS),
        ("steering_summary.parquet", headline.DEFINITIONS),
        ("steering.parquet", dose_table.DEFINITIONS),
        ("steering_choice.parquet", choice_table.DEFINITIONS),
    )
    return [(table, name, words) for table, named in tables for name, words in named.items()]


# --- curves -----------------------------------------------------------------------------------


Rows = list[dict[str, Any]]


def arms_of(cell: Cell) -> dict[str, tuple[str, Rows]]:
    """By arm its words, and its doses for the features that were chosen by their own words."""
    rows = _reported(cell, OWN)
    of = {arm: [row for row in rows if row["arm"] == arm] for arm in NAMES}
    return {arm: (words, of[arm]) for arm, words in NAMES.items() if of[arm]}


def choices_of(cells: Sequence[Cell]) -> dict[str, tuple[str, Rows]]:
    """By choice its words, and the doses of its features in all cells, each clamped itself."""
    lines = {
        name: [row for cell in cells for row in _reported(cell, name) if row["arm"] == FEATURE]
        for name in GROUPS
    }
    return {name: (SHORT[name], rows) for name, rows in lines.items() if rows}


def _reported(cell: Cell, name: str) -> Rows:
    """The doses of a choice on the prompts that are reported."""
    chosen = {row["feature"] for row in cell.choice.to_pylist() if name in row["groups"]}
    return [
        row | {"more": row["surprisal"] - row["surprisal_plain"]}
        for row in cell.doses.to_pylist()
        if row["part"] == REPORT and row["feature"] in chosen
    ]


def curves(where: str, lines: Mapping[str, tuple[str, Rows]]) -> list[Markup]:
    """Dose-response, a chart a measure."""
    return [_curve(where, lines, *measure) for measure in MEASURES] if lines else []


def _curve(where: str, lines: Mapping[str, tuple[str, Rows]], name: str, words: str) -> Markup:
    """One measure over the shift in units of the site's norm, means over features."""
    points = {}
    for key, (_, rows) in lines.items():
        doses = sorted({row["dose"] for row in rows} | {0.0})
        means = [_mean([row for row in rows if row["dose"] == dose], name) for dose in doses]
        # Without a shift nothing changes; repetitions are then those of plain texts.
        start = float(np.mean([r["rep3_plain"] for r in rows])) if name == "rep3" else 0.0
        points[key] = [(0.0, start, 0) if mean is None else mean for mean in means]
    every = [point for line in points.values() for point in line]
    lowest, highest = min(y for _, y, _ in every), max(y for _, y, _ in every)
    left, right = min(x for x, _, _ in every), max(x for x, _, _ in every)
    room = 0.05 * ((highest - lowest) or 1.0)
    place_x, place_y = charts.linear(left, right), charts.linear(lowest - room, highest + room)
    marks, ends = [], []
    for key, line in points.items():
        dash = DASHES[key]
        places = [(place_x(x), place_y(y)) for x, y, _ in line]
        style = f"{'rest' if dash else 'line'} {charts.DASHES[dash]}"
        marks.append(charts.line(places, style))
        marks += [
            charts.dots(
                [at],
                "ring small" if dash else "dot small",
                f"{lines[key][0]}, shift {x:.2f} of the norm: {y:.3f}, n {n}",
            )
            for at, (x, y, n) in zip(places, line, strict=True)
        ]
        ends.append((places[-1][1], (lines[key][0], style)))
    heights = charts.spread([y for y, _ in ends], 0.11)
    notes = charts.ended(heights, [end for _, end in ends])
    x_ticks = [(v, charts.shown(v)) for v in charts.rounded(left, right)]
    y_ticks = [(v, charts.shown(v)) for v in charts.rounded(lowest, highest, 4)]
    return charts.plot(
        f"{where}: {words} over the shift of the site",
        charts.Axis(place_x, x_ticks, "shift / norm of the site"),
        charts.Axis(place_y, y_ticks, words),
        marks,
        notes,
        "ended wide",
    )


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float, int] | None:
    """Mean shift and mean of a measure; None without rows."""
    if not rows:
        return None
    shares = [row["norm_share"] for row in rows]
    return float(np.mean(shares)), float(np.mean([row[name] for row in rows])), len(rows)


# --- texts ------------------------------------------------------------------------------------


def features(cell: Cell, n: int) -> list[tuple[str, list[dict[str, Any]]]]:
    """The first n features of each choice, with what happened and texts side by side."""
    by_feature = {row["feature"]: row for row in cell.choice.to_pylist()}
    reported = headline.at_chosen(cell.doses)
    lines = [row for row in cell.texts.to_pylist() if row["part"] == REPORT and row["seed"] == 0]
    texts = {(r["feature"], r["arm"], r["dose"], r["prompt"]): r for r in lines}
    result = []
    for name in GROUPS:
        score = name if name != "random" else "own"
        members = [row for row in by_feature.values() if name in row["groups"]]
        members.sort(key=lambda row, score=score: (-(row[score] or 0.0), row["feature"]))
        shown = [_feature(row, reported, texts) for row in members[:n]]
        if shown:
            result.append((name, shown))
    return result


def _feature(
    row: Mapping[str, Any],
    reported: Mapping[tuple[int, str], Mapping[str, Any]],
    texts: Mapping[tuple[int, str, float, int], Mapping[str, Any]],
) -> dict[str, Any]:
    feature, words = row["feature"], set(row["words"])
    at = reported.get((feature, FEATURE))
    pairs = []
    if at is not None:
        for prompt in range(TEXTS):
            plain = texts.get((-1, NONE, 0.0, prompt))
            steered = texts.get((feature, FEATURE, at["dose"], prompt))
            if plain and steered:
                parting = steered["parting"]
                pairs.append(
                    {
                        "prompt": plain["before"],
                        "plain": marked(plain["text"], words, parting),
                        "steered": marked(steered["text"], words, parting),
                    }
                )
    return {
        "number": feature,
        "dose": at and f"{at['dose']:g} × its maximum",
        "words": ", ".join(row["words"]),
        "sentence": _happened(feature, at, reported),
        "pairs": pairs,
    }


def _happened(
    feature: int,
    at: Mapping[str, Any] | None,
    reported: Mapping[tuple[int, str], Mapping[str, Any]],
) -> str:
    """A plain sentence of what a feature did."""
    if at is None:
        return (
            f"No dose keeps the text whole: each makes it more than {headline.NATS:g} nat more "
            f"surprising, or {percent(headline.REPEATED)} of its runs of three repeat."
        )
    n = at["n_texts"]
    plain = round(at["inclusion_plain"] * n)
    beside = reported.get((feature, CONTROL))
    control = (
        ""
        if beside is None
        else f" With another feature at its own sound dose they are {beside['n_with']}."
    )
    return (
        f"Clamped at {at['dose']:g} × its maximum, {at['norm_share']:.2f} of the site's norm: "
        f"{at['n_with']} of {n} texts have one of its words, {plain} without an edit; "
        f"{signed(at['surprisal'] - at['surprisal_plain'])} nats of surprisal, "
        f"{percent(at['rep3'])} of the runs of three repeat.{control}"
    )


def marked(text: str, words: set[str], parting: int) -> Markup:
    """A text with its hits marked, and a sign where two texts part."""
    places = [(start, stop, "mark") for start, stop in hits(text, words)]
    cuts = sorted({0, len(text), parting, *(end for span in places for end in span[:2])})
    out = []
    for start, stop in pairwise(cuts):
        if start == parting:
            out.append(PARTS)
        inside = any(begin <= start < end for begin, end, _ in places)
        form = Markup("<mark>{}</mark>") if inside else Markup("{}")
        out.append(form.format(text[start:stop]))
    return Markup("").join(out)


PARTS = Markup('<b class="parts" title="here the two texts part" aria-label="parts here">╱</b>')
