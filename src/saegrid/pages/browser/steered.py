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

from saegrid.interventions import choice, dose, headline
from saegrid.interventions.arms import CONTROL, FEATURE, MEANS, NONE, PROMPT
from saegrid.interventions.choice import GROUPS, OWN
from saegrid.interventions.prompts import REPORT, hits
from saegrid.pages.browser import charts
from saegrid.pages.browser.render import Column, render_study, require

REQUIRED = ("study", "model", "spec", "corpus")
"""Keys that `facts` must hold."""
TEXTS = 2
"""Prompts of a feature whose texts are shown, the first noise of each."""
CHOICES = {
    OWN: "chosen by their own words",
    "lens": "chosen by the logit lens",
    "meaning": "chosen by meaning",
    "random": "drawn, of like density",
}
ARMS = {
    FEATURE: "the feature clamped",
    CONTROL: "another feature",
    MEANS: "difference of means",
    PROMPT: "its words in the prompt",
}
LINES = {FEATURE: ("line", 0), CONTROL: ("rest", 3), MEANS: ("rest", 1)}
"""Class and dashes of the curve of each arm."""
SUMMARY = (
    Column("cell", "cell"),
    Column("choice", "features"),
    Column("arm", "arm"),
    Column("n_features", "n", "{:,}"),
    Column("n_sound", "sound", "{:,}", headline.DEFINITIONS["n_sound"]),
    Column("gain", "gain", "{:+.3f}", headline.DEFINITIONS["gain"]),
    Column("low", "low", "{:+.3f}", "lower end of the 95 % interval of the gain"),
    Column("high", "high", "{:+.3f}", "upper end"),
    Column("surprisal_more", "nats more", "{:+.2f}", headline.DEFINITIONS["surprisal_more"]),
    Column("rep3", "repeated", "{:.3f}", headline.DEFINITIONS["rep3"]),
    Column("norm_share", "of the norm", "{:.2f}", headline.DEFINITIONS["norm_share"]),
    Column("own_less", "own less this", "{:+.3f}", headline.DEFINITIONS["own_less"]),
    Column("own_less_low", "low", "{:+.3f}", "lower end of its 95 % interval"),
    Column("own_less_high", "high", "{:+.3f}", "upper end"),
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


def steering_page(facts: Mapping[str, Any], cells: Sequence[Cell], n_shown: int) -> str:
    """The text of steering.html. The same arguments give the same bytes.

    facts: study, model, spec, corpus, and where known `title`. n_shown: features of each choice and
    cell whose texts stand on the page.
    """
    require(facts, REQUIRED, "The facts of a page of steering")
    rows = [
        {"cell": cell.name, **row, "choice": CHOICES[row["choice"]], "arm": ARMS[row["arm"]]}
        for cell in cells
        for row in cell.summary.to_pylist()
    ]
    parts = [
        {
            "name": cell.name,
            "curves": curves(cell),
            "groups": [(CHOICES[name], shown) for name, shown in features(cell, n_shown)],
        }
        for cell in cells
    ]
    return render_study(
        "steering.html.jinja",
        facts,
        f"{facts['study']}: steering",
        sentences=verdict(cells),
        columns=SUMMARY,
        rows=rows,
        cells=parts,
        definitions=_definitions(),
        limits=(headline.NATS, headline.REPEATED),
    )


def _definitions() -> list[tuple[str, str, str]]:
    """Table, column and definition of every number."""
    tables = (
        ("steering_choice.parquet", choice.DEFINITIONS),
        ("steering.parquet", dose.DEFINITIONS),
        ("steering_summary.parquet", headline.DEFINITIONS),
    )
    return [(table, name, words) for table, named in tables for name, words in named.items()]


# --- sentences --------------------------------------------------------------------------------


class Said(NamedTuple):
    """A sentence and where its numbers are from."""

    text: str
    source: str


def percent(share: float) -> str:
    """A share in hundredths."""
    return f"{100 * share:.0f} %".replace("-", "−")


def signed(value: float, form: str = "{:+.2f}") -> str:
    """A number with its sign, a typographic minus."""
    return form.format(value).replace("-", "−")


def verdict(cells: Sequence[Cell]) -> list[Said]:
    """Sentences on what happened, over all cells: each mean is over features."""
    rows = [row for cell in cells for row in cell.summary.to_pylist()]
    source = "steering_summary.parquet: gain, low, high, surprisal_more, rep3, n_sound"
    said = []
    for arm, words in ARMS.items():
        own = [row for row in rows if (row["choice"], row["arm"]) == (OWN, arm)]
        if line := _of_arm(own, words):
            said.append(Said(line, source))
    for name in GROUPS[1:]:
        chosen = [r for r in rows if (r["choice"], r["arm"]) == (name, FEATURE)]
        if line := _of_arm(chosen, f"the feature clamped, {CHOICES[name]}"):
            said.append(Said(line, source))
    return said


def _of_arm(rows: Sequence[Mapping[str, Any]], words: str) -> str | None:
    """One sentence on an arm over cells; None without a feature."""
    n = sum(row["n_features"] for row in rows)
    if not n:
        return None
    gain = sum(row["gain"] * row["n_features"] for row in rows) / n
    sound = [row for row in rows if row["n_sound"]]
    n_sound = sum(row["n_sound"] for row in sound)
    start = f"{words[0].upper()}{words[1:]}"
    if not n_sound:
        return f"{start}: of {n} features none has a dose at which the text stays whole."
    more, rep = (
        sum(row[name] * row["n_sound"] for row in sound) / n_sound
        for name in ("surprisal_more", "rep3")
    )
    points = signed(100 * gain, "{:+.0f}")
    one = f" (95 % interval {_interval(rows[0])})" if len(rows) == 1 else ""
    return (
        f"{start}: {points} percentage points of texts with one of the words{one}, beside texts "
        f"without an edit; mean of {n} features, of which {n_sound} have a sound dose. At these "
        f"doses surprisal moves by {signed(more)} nats, and {percent(rep)} of the runs of three "
        "tokens repeat."
    )


def _interval(row: Mapping[str, Any]) -> str:
    return f"{signed(100 * row['low'], '{:+.0f}')} to {signed(100 * row['high'], '{:+.0f}')}"


# --- curves -----------------------------------------------------------------------------------


def curves(cell: Cell) -> list[Markup]:
    """Dose-response of the features that were chosen by their own words, a chart a measure."""
    chosen = [r["feature"] for r in cell.choice.to_pylist() if OWN in r["groups"]]
    rows = [
        row | {"more": row["surprisal"] - row["surprisal_plain"]}
        for row in cell.doses.to_pylist()
        if row["part"] == REPORT and row["feature"] in chosen and row["arm"] in LINES
    ]
    if not rows:
        return []
    return [_curve(cell.name, rows, name, words) for name, words in MEASURES]


def _curve(cell: str, rows: Sequence[Mapping[str, Any]], name: str, words: str) -> Markup:
    """One measure over the shift in units of the site's norm, means over features."""
    lines = {}
    for arm in LINES:
        doses = sorted({row["dose"] for row in rows if row["arm"] == arm} | {0.0})
        means = [_mean([r for r in rows if (r["arm"], r["dose"]) == (arm, d)], name) for d in doses]
        # Without a shift nothing changes; repetitions are then those of plain texts.
        start = float(np.mean([r["rep3_plain"] for r in rows])) if name == "rep3" else 0.0
        lines[arm] = [(0.0, start, 0) if mean is None else mean for mean in means]
    every = [point for line in lines.values() for point in line]
    lowest, highest = min(y for _, y, _ in every), max(y for _, y, _ in every)
    left, right = min(x for x, _, _ in every), max(x for x, _, _ in every)
    room = 0.05 * ((highest - lowest) or 1.0)
    place_x, place_y = charts.linear(left, right), charts.linear(lowest - room, highest + room)
    marks, ends = [], []
    for arm, line in lines.items():
        if len(line) < 2:
            continue
        kind, dash = LINES[arm]
        places = [(place_x(x), place_y(y)) for x, y, _ in line]
        marks.append(charts.line(places, f"{kind} {charts.DASHES[dash]}"))
        dot = "dot small" if kind == "line" else "ring small"
        marks += [
            charts.dots([at], dot, f"{ARMS[arm]}, shift {x:.2f} of the norm: {y:.3f}, n {n}")
            for at, (x, y, n) in zip(places, line, strict=True)
        ]
        ends.append((places[-1][1], arm))
    heights = charts.spread([y for y, _ in ends], 0.11)
    notes = [(1.0, y, arm, "after") for (_, arm), y in zip(ends, heights, strict=True)]
    x_ticks = [(v, charts.shown(v)) for v in charts.rounded(left, right)]
    y_ticks = [(v, charts.shown(v)) for v in charts.rounded(lowest, highest, 4)]
    return charts.plot(
        f"{cell}: {words} over the shift of the site",
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
        f"Clamped at {at['dose']:g} of its maximum, {at['norm_share']:.2f} of the site's norm: "
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
