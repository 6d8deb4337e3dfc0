"""Words filled in while confirmed features are turned up, on the page of findings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa

from saegrid.pages.browser.sentences import (
    NONE,
    Fact,
    Line,
    Number,
    Part,
    Sentence,
    count,
    gain,
    general,
    is_number,
    percent,
    sentence,
    span,
)

JSON = "filling.json"
HEADINGS = {
    "grade": "expected grade of what is filled in",
    "slope": "log p of an edit for one more grade, nats",
    "words": "p of its own words",
    "extra_surprisal": "extra surprisal, nats",
}
"""Measures that the page shows, in this order."""
COUNTS = {
    "n_features": "confirmed features that were turned up",
    "n_originals": "originals",
    "n_headlines": "headlines up to an edit",
    "n_edits": "edits behind them",
    "unchanged.grade": "expected grade of what the unchanged model fills in",
    "unchanged.entropy": "entropy of its prediction, nats",
    "most_extra": "nats of extra surprisal up to which a dose is judged",
    "verdict.dose": "dose that is judged, in maxima of the feature",
}
PARTS = ("feature", "control", "difference", "low", "high")
SAID = {
    "funnier": "That is more than chance gives.",
    "less funny": "That is less, and more so than chance gives.",
    "nothing": "The interval holds 0: nothing is shown.",
    "not judged": "There is too little to judge it.",
}
FEW = 5
"""Features fewer than these are said to be few."""


class Filled(NamedTuple):
    """The filling of a study, in words and numbers."""

    answer: Sentence
    lines: list[Line]
    doses: list[tuple[str, list[tuple[Number, Number, Number, Number, Number]]]]
    """The dose, and of each measure feature, control, difference, low and high."""
    facts: list[Fact]
    features: list[tuple[str, str, str, list[tuple[str, str, str]]]]
    """Text, link and side of a feature, and of each measure its value, interval and the control's,
    at the dose that is judged."""
    texts: list[tuple[str, str, str, str]]
    """Headline, edit, and the likeliest words before and after, of the first feature."""
    shown: str
    """The feature of the texts, and its dose."""
    definitions: Mapping[str, str]
    rule: str


def filled(facts: Mapping[str, Any], table: pa.Table, texts: pa.Table, corpus: str) -> Filled:
    """The content of filling.json, filling.parquet and filling_texts.parquet."""
    of = _Numbers(facts)
    dose = facts["verdict"]["dose"]
    shown = dose if dose is not None else min((d["dose"] for d in of.raised), default=None)
    rows = table.to_pylist()
    own = [r for r in rows if r["role"] == "feature" and r["dose"] == shown]
    listed = _texts(texts.to_pylist(), own[0]) if own else []
    return Filled(
        _answer(of, dose),
        _lines(of, dose),
        [
            (_dose(one["dose"]), [tuple(of.at(one["dose"], m, p) for p in PARTS) for m in HEADINGS])
            for one in facts["doses"]
        ],
        of.facts(),
        [_feature(row, rows, corpus) for row in own],
        listed,
        f"{own[0]['cell']} #{own[0]['feature']}, {_dose(shown)}" if own else "",
        facts["definitions"],
        facts["rule"],
    )


class _Numbers:
    """The numbers of filling.json, each with its place."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.values = facts
        self.raised = [one for one in facts["doses"] if one["dose"] > 0]

    def count(self, path: str) -> Number:
        """One of `COUNTS`."""
        value: Any = self.values
        for name in path.split("."):
            value = value[name]
        text = (count if isinstance(value, int) else general)(value) if is_number(value) else NONE
        return Number(text, f"{JSON}: {path}", f"#filling-{path}")

    def at(self, dose: float, measure: str, part: str) -> Number:
        """A mean over features at a dose."""
        (one,) = (each for each in self.values["doses"] if each["dose"] == dose)
        value = one["measures"][measure][part]
        return Number(
            FORMS[measure](value) if is_number(value) else NONE,
            f"{JSON}: doses[{dose:g}].measures.{measure}.{part}",
            f"#filling-{dose:g}-{measure}",
        )

    def facts(self) -> list[Fact]:
        """The counts as rows."""
        return [Fact(f"filling-{path}", words, self.count(path)) for path, words in COUNTS.items()]


def grade(value: float) -> str:
    """A small difference of grades with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):.4f}"


FORMS: dict[str, Callable[[float], str]] = {
    "grade": grade,
    "slope": gain,
    "words": grade,
    "extra_surprisal": gain,
}


def _dose(dose: float | None) -> str:
    if dose is None:
        return ""
    return f"{dose:g} × its maximum" if dose else "ablated (those of low labels)"


def _compared(of: _Numbers, dose: float, measure: str) -> list[Part]:
    own, control, difference, low, high = (of.at(dose, measure, part) for part in PARTS)
    middle = [" with the feature and by ", control, " with its control, a difference of "]
    return [own, *middle, difference, " (", *span(low, high), ")"]


def _answer(of: _Numbers, dose: float | None) -> Sentence:
    facts = of.values
    if not facts["n_features"]:
        return sentence(
            "No feature of a contrast about the label was confirmed, so none is turned up."
        )
    if dose is None:
        return sentence(
            "Nothing can be said: already the smallest dose adds more than ",
            of.count("most_extra"),
            " nat of surprisal on average.",
        )
    return sentence(ANSWERS[facts["verdict"]["grade"]])


ANSWERS = {
    "funnier": "Yes: what is filled in has a higher expected grade than with controls.",
    "less funny": "No: what is filled in has a lower expected grade than with controls.",
    "nothing": "Nothing is shown: what is filled in is no funnier than with controls.",
    "not judged": "Nothing can be said: there is too little to judge it.",
}


def _lines(of: _Numbers, dose: float | None) -> list[Line]:
    facts = of.values
    if not facts["n_features"]:
        return []
    few = " These are few." if facts["n_features"] < FEW else ""
    done = sentence(
        of.count("n_features"),
        " confirmed features were clamped, one at a time, while the model filled the next word in "
        "behind ",
        of.count("n_headlines"),
        f" headlines of the part {facts['part']} (",
        of.count("n_edits"),
        " edits of ",
        of.count("n_originals"),
        f" originals), which was not searched.{few}",
    )
    lines = [Line("Done", (done,))]
    if dose is None:
        return lines
    at = f"At {dose:g} × the feature's own maximum "
    verdict = facts["verdict"]
    return [
        *lines,
        Line(
            "Grade",
            (
                sentence(
                    f"{at}the expected grade of what is filled in, ",
                    of.count("unchanged.grade"),
                    " before, changes by ",
                    *_compared(of, dose, "grade"),
                    f". {SAID[verdict['grade']]}",
                ),
            ),
        ),
        Line(
            "Preference",
            (
                sentence(
                    "Among the edits of one original, log p rises for one more grade by ",
                    *_compared(of, dose, "slope"),
                    f". {SAID[verdict['slope']]}",
                ),
            ),
        ),
        Line(
            "Its words",
            (
                sentence(
                    "The probability of the words on which the feature is strongest changes by ",
                    *_compared(of, dose, "words"),
                    ". A feature that reads a word need not make the model write it.",
                ),
            ),
        ),
        Line(
            "Price",
            (
                sentence(
                    "What is filled in is more surprising to the unchanged model by ",
                    *_compared(of, dose, "extra_surprisal"),
                    ", in nats.",
                ),
            ),
        ),
    ]


def _feature(
    row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], corpus: str
) -> tuple[str, str, str, list[tuple[str, str, str]]]:
    control = next(
        r
        for r in rows
        if r["role"] == "control"
        and (r["cell"], r["control_of"], r["dose"]) == (row["cell"], row["feature"], row["dose"])
    )

    def text(of: Mapping[str, Any], name: str, measure: str) -> str:
        value = of[name]
        return FORMS[measure](value) if is_number(value) else NONE

    measures = [
        (
            text(row, name, name),
            f"{text(row, f'{name}_low', name)} to {text(row, f'{name}_high', name)}",
            text(control, name, name),
        )
        for name in HEADINGS
    ]
    link = f"{quote(corpus)}/cells/{quote(row['cell'])}/features.html#{row['feature']}"
    side = "high" if row["sign"] > 0 else "low"
    return f"{row['cell']} #{row['feature']}", link, f"{row['contrast']}, {side}", measures


def _texts(
    rows: Sequence[Mapping[str, Any]], of: Mapping[str, Any]
) -> list[tuple[str, str, str, str]]:
    wanted = ("cell", "feature", "dose", "role")
    own = [row for row in rows if all(row[name] == of[name] for name in wanted)]
    return [
        (
            row["context"].strip(),
            f"{row['replaced'].strip()} → {row['edit'].strip()}",
            _words(row["before"], row["before_p"]),
            _words(row["after"], row["after_p"]),
        )
        for row in own
    ]


def _words(words: Sequence[str], shares: Sequence[float]) -> str:
    pairs = zip(words, shares, strict=True)
    return ", ".join(f"{word.strip() or '␣'} {percent(share)}" for word, share in pairs)
