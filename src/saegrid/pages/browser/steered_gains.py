"""The choice of features that works: verdict, sentences and tables over all cells.

A gain is never told without surprisal and repetitions beside it. Every number is one of
steering_by_choice.parquet.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.interventions.choice_table import GROUPS, OWN
from saegrid.interventions.dose_table import CONTROL, FEATURE, MEANS, PROMPT
from saegrid.pages.browser import charts
from saegrid.pages.browser.sentences import (
    NONE,
    Line,
    Number,
    Part,
    Sentence,
    is_number,
    listed,
    percent,
    sentence,
    span,
)

TABLE = "steering_by_choice.parquet"
CHOICES = {
    OWN: "chosen by their own words",
    "lens": "chosen by the logit lens",
    "meaning": "chosen by meaning",
    "random": "drawn at random",
}
SHORT = {OWN: "own words", "lens": "logit lens", "meaning": "meaning", "random": "at random"}
ARMS = {
    FEATURE: "the feature clamped",
    CONTROL: "another feature clamped",
    MEANS: "difference of means added",
    PROMPT: "its words in the prompt",
}
Row = Mapping[str, Any]


def signed(value: float, form: str = "{:+.2f}") -> str:
    """A number with its sign, a typographic minus; zero has none."""
    text = form.format(value)
    return text.replace("-", "−") if text.strip("+-0.") else text.lstrip("+-")


FORMS = {
    **dict.fromkeys(("gain", "low", "high"), lambda value: signed(100 * value, "{:+.1f}")),
    **dict.fromkeys(("delta_target", "delta_low", "delta_high", "surprisal_more"), signed),
    "rep3": percent,
    "norm_share": "{:.2f}".format,
}
"""Forms of the table's numbers; all others are counts. Gains are points: texts of 100."""


def shown(name: str, value: Any) -> str:
    """A number of the table as the page writes it."""
    return FORMS.get(name, "{:,}".format)(value) if is_number(value) else NONE


def anchor(row: Row) -> str:
    """The id of a row of the table on the page."""
    names = (row["choice"], row["arm"], row["less_choice"], row["less_arm"])
    return "-".join(["gain", *(name for name in names if name)])


class Gains:
    """The rows of steering_by_choice.parquet."""

    def __init__(self, table: pa.Table) -> None:
        self.rows: list[dict[str, Any]] = table.to_pylist()
        self.alone = [row for row in self.rows if row["less_choice"] is None]
        self.differences = [row for row in self.rows if row["less_choice"] is not None]
        self.clamped = [row for row in self.alone if row["arm"] == FEATURE]

    def of(self, choice: str, arm: str) -> Row | None:
        """The row of a choice and arm."""
        same = (r for r in self.alone if (r["choice"], r["arm"]) == (choice, arm))
        return next(same, None)

    def less(self, choice: str, arm: str, less_choice: str, less_arm: str) -> Row | None:
        """The row of a difference."""
        key = (choice, arm, less_choice, less_arm)
        names = ("choice", "arm", "less_choice", "less_arm")
        return next((r for r in self.differences if tuple(r[n] for n in names) == key), None)

    def is_above(self, one: Row, other: Row) -> bool:
        """Return True if the interval of one choice's gain less another's lies above zero."""
        row = self.less(one["choice"], FEATURE, other["choice"], FEATURE)
        if row is not None:
            return row["low"] > 0
        row = self.less(other["choice"], FEATURE, one["choice"], FEATURE)
        return row is not None and row["high"] < 0


def number(row: Row, name: str) -> Number:
    """A number of a row with its place."""
    return Number(shown(name, row[name]), f"{TABLE}: {name}", f"#{anchor(row)}")


def interval(row: Row) -> list[Part]:
    """A gain with its interval."""
    return [number(row, "gain"), " (", *span(number(row, "low"), number(row, "high")), ")"]


def costs(rows: Sequence[Row]) -> list[Part]:
    """Surprisal and repetitions of the texts of some rows, in their order."""
    sound = [row for row in rows if row["n_sound"]]
    if not sound:
        return ["none has a sound dose"]
    more, repeated = ([[number(row, name)] for row in sound] for name in ("surprisal_more", "rep3"))
    # A list is as long as that of the gains, or says of whom it is.
    less = [SHORT[row["choice"]] for row in rows if not row["n_sound"]]
    without = [f" ({' and '.join(less)} have no sound dose)"] if less else []
    return [*listed(more), " nats of surprisal, ", *listed(repeated), " repeated", *without]


def verdict(gains: Gains) -> Sentence:
    """One sentence on which choice works, by the rule that an interval lies above zero."""
    if not gains.clamped:
        return sentence("No feature was steered.")
    if not any(row["n_sound"] for row in gains.clamped):
        return sentence("No dose of any feature leaves the text whole: nothing can be said.")
    best = max(gains.clamped, key=lambda row: row["gain"])
    by, cost = CHOICES[best["choice"]], [" at ", *costs([best]), "."]
    if best["low"] <= 0:
        return sentence(
            "No choice of features surely brings their words into the text: at best, those ",
            *(by, " bring them into ", *interval(best), " of 100 texts,", *cost),
        )
    others = [row for row in gains.clamped if row is not best]
    above = [[CHOICES[row["choice"]]] for row in others if gains.is_above(best, row)]
    level = [[CHOICES[row["choice"]]] for row in others if not gains.is_above(best, row)]
    gain = number(best, "gain")
    more = gain._replace(text=gain.text.removeprefix("+"))
    brings = ["they bring one of their words into ", more, " more of 100 texts,", *cost]
    if not others:
        return sentence(f"Features {by} work: clamped, ", *brings)
    if not level:
        return sentence(f"Features {by} work best: clamped, ", *brings)
    ahead: list[Part] = ["surely better than those ", *listed(above), ", "] if above else []
    return sentence(
        f"Clamped features {by} work ", *ahead, "not surely better than those ",
        *listed(level, " or "), ": ", *brings,
    )  # fmt: skip


def lines(gains: Gains) -> list[Line]:
    """The lines below the verdict, each under one word."""
    some = [
        ("Choices", _choices(gains)),
        ("Other ways", _ways(gains)),
        ("The text", _text(gains)),
        ("How sure", _sure(gains)),
    ]
    return [Line(heading, tuple(said)) for heading, said in some if said]


def _choices(gains: Gains) -> list[Sentence]:
    if not gains.clamped:
        return []
    parts = [[f"{SHORT[row['choice']]} ", *interval(row)] for row in gains.clamped]
    said = [
        sentence("Of 100 texts, more with one of the words: ", *listed(parts), "; at ",
                 *costs(gains.clamped), ".")
    ]  # fmt: skip
    less = [gains.less(OWN, FEATURE, name, FEATURE) for name in GROUPS[1:]]
    parts = [[f"{SHORT[row['less_choice']]} ", *interval(row)] for row in less if row is not None]
    if parts:
        said.append(sentence("Own words less ", *listed(parts), "."))
    return said


def _ways(gains: Gains) -> list[Sentence]:
    """Other ways to the words of the features that were chosen by them."""
    ways = [row for arm in (CONTROL, MEANS, PROMPT) if (row := gains.of(OWN, arm))]
    if not ways:
        return []
    parts = [[f"{ARMS[row['arm']]} ", *interval(row)] for row in ways]
    said = [
        sentence("Towards the words of the same features: ", *listed(parts), "; at ", *costs(ways),
                 ".")
    ]  # fmt: skip
    if less := gains.less(OWN, FEATURE, OWN, MEANS):
        said.append(sentence("The feature less the difference of means: ", *interval(less), "."))
    return said


def _text(gains: Gains) -> list[Sentence]:
    own = gains.of(OWN, FEATURE)
    if own is None or not own["n_sound"]:
        return []
    return [
        sentence(
            number(own, "n_sound"),
            " of ",
            number(own, "n_features"),
            " features chosen by their own words have a dose that leaves the text whole, on average"
            " a shift of ",
            number(own, "norm_share"),
            " of the site's norm. On text that is read"
            " and not written, the log-probability of their words moves by ",
            number(own, "delta_target"),
            " nats (",
            *span(number(own, "delta_low"), number(own, "delta_high")),
            ").",
        )
    ]


def _sure(gains: Gains) -> list[Sentence]:
    own = gains.of(OWN, FEATURE)
    if own is None:
        return []
    less = gains.less(OWN, FEATURE, "random", FEATURE)
    parts: list[Part] = []
    if less is not None:
        parts = ["Own words are ahead of features drawn at random in ", number(less, "n_above"),
                 " of ", number(less, "n_cells"), " cells. "]  # fmt: skip
    return [
        sentence(
            *parts,
            "Intervals are of 95 %, over cells and features within them; cells that differ in the "
            "seed of the SAE alone share words, and all is one model.",
        )
    ]


# --- tables and the panel -----------------------------------------------------------------------


class Entry(NamedTuple):
    """An entry of a table: what is written, what it is sorted by."""

    text: str
    key: Any
    is_number: bool = True


class Shown(NamedTuple):
    """A row of a table on the page."""

    anchor: str
    entries: list[Entry]


ALONE = {
    "features": "",
    "steered by": "",
    "texts of 100 gained": "gain",
    "95 % interval": "low",
    "nats more": "surprisal_more",
    "repeated": "rep3",
    "log p of words": "delta_target",
    "its interval": "delta_low",
    "sound dose": "n_sound",
    "of the norm": "norm_share",
}
"""Headings of the table of choices and the column that each is from."""
APART = {
    "difference": "",
    "texts of 100": "gain",
    "95 % interval": "low",
    "above 0 in": "n_above",
    "log p of words": "delta_target",
    "its interval": "delta_low",
}
"""Headings of the table of differences, likewise."""
ENDS = {"low": "high", "delta_low": "delta_high"}


def _entries(row: Row, columns: Mapping[str, str]) -> list[Entry]:
    names = [name for name in columns.values() if name]
    return [Entry(_entry(row, name), row[name]) for name in names]


def _entry(row: Row, name: str) -> str:
    if name in ENDS:
        return f"{shown(name, row[name])} to {shown(name, row[ENDS[name]])}"
    if name == "n_sound":
        return f"{row['n_sound']} of {row['n_features']}"
    if name == "n_above":
        return f"{row['n_above']} of {row['n_cells']} cells"
    return shown(name, row[name])


def choices(gains: Gains) -> list[Shown]:
    """The rows of the table of choices and ways to steer."""
    rows = []
    for row in gains.alone:
        names = [Entry(SHORT[row["choice"]], row["choice"], False)]
        names.append(Entry(ARMS[row["arm"]], row["arm"], False))
        rows.append(Shown(anchor(row), names + _entries(row, ALONE)))
    return rows


def differences(gains: Gains) -> list[Shown]:
    """The rows of the table of differences."""
    rows = []
    for row in gains.differences:
        if row["choice"] != row["less_choice"]:
            words = f"{SHORT[row['choice']]} less {SHORT[row['less_choice']]}"
        else:
            words = f"{SHORT[row['choice']]}: less {ARMS[row['less_arm']]}"
        rows.append(Shown(anchor(row), [Entry(words, words, False), *_entries(row, APART)]))
    return rows


class Dot(NamedTuple):
    """A row of the panel: places from 0 to 1."""

    name: str
    number: Number
    place: float
    span: tuple[float, float] | None
    is_first: bool


class Panel(NamedTuple):
    """Rows over one scale."""

    title: str
    unit: str
    rows: list[Dot]
    ticks: list[tuple[float, str]]


def panels(gains: Gains) -> list[Panel]:
    """Gain, and beside it surprisal, of the choices and of other ways to the same words."""
    rows = [(SHORT[row["choice"]], row) for row in gains.clamped]
    others = (gains.of(OWN, arm) for arm in (CONTROL, MEANS, PROMPT))
    rows += [(ARMS[row["arm"]], row) for row in others if row is not None]
    if not rows:
        return []
    return [
        _panel("Texts with its words", "gained, of 100", rows, "gain", ("low", "high"), 100),
        _panel("Surprisal", "more, nats", rows, "surprisal_more", None, 1),
    ]


def _panel(
    title: str,
    unit: str,
    rows: Sequence[tuple[str, Row]],
    name: str,
    ends: tuple[str, str] | None,
    factor: float,
) -> Panel:
    rows = [(words, row) for words, row in rows if is_number(row[name])]
    values = [factor * row[n] for _, row in rows for n in (name, *(ends or ()))]
    low, high = min([0.0, *values]), max([0.0, *values])
    room = 0.04 * ((high - low) or 1)
    place = charts.linear(low - room, high + room)
    dots = [
        Dot(
            words,
            number(row, name),
            place(factor * row[name]),
            (place(factor * row[ends[0]]), place(factor * row[ends[1]])) if ends else None,
            row["choice"] == OWN and row["arm"] == FEATURE,
        )
        for words, row in rows
    ]
    ticks = [(place(v), charts.shown(v)) for v in charts.rounded(low, high, 4)]
    return Panel(title, unit, dots, ticks)
