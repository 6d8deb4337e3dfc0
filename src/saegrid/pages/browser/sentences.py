"""Sentences whose numbers know the table that they are from."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

JSON = "tests.json"
NONE = "–"
POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
FINEST = 1e-30
"""Below it a p is told as smaller."""


class Number(NamedTuple):
    """A number of a sentence: its text, the file and column that it is from, and the row of the
    page that shows both."""

    text: str
    source: str
    href: str


class Term(NamedTuple):
    """Words of the study's own, such as the name of a class."""

    text: str


Part = str | Number | Term


class Sentence(NamedTuple):
    """A sentence in parts."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(
            part
            if isinstance(part, str)
            else f"“{part.text}”"
            if isinstance(part, Term)
            else part.text
            for part in self.parts
        )


def sentence(*parts: Part) -> Sentence:
    """A sentence of these parts."""
    return Sentence(parts)


class Line(NamedTuple):
    """Sentences under one word, such as Found."""

    heading: str
    sentences: tuple[Sentence, ...]


class Fact(NamedTuple):
    """A row of a table of numbers."""

    anchor: str
    words: str
    number: Number | None
    """None where the number was not made."""
    definition: str = ""


def slug(name: str) -> str:
    """A name as part of an anchor."""
    return re.sub(r"[^A-Za-z0-9_.-]", lambda match: f".{ord(match[0]):x}", name)


def at(value: Any, path: str) -> Any:
    """The value in mappings at a path, `frozen.n_confirmed`; None where a part of it is missing."""
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    head, _, rest = path.partition(".")
    return at(value.get(head), rest) if rest else None


def is_number(value: Any) -> bool:
    """True of a number that is neither missing, NaN nor infinite."""
    return isinstance(value, int | float) and math.isfinite(value)


# Forms of numbers.


def count(value: float) -> str:
    """A count, or a mean of counts with one digit."""
    return f"{value:,}" if float(value).is_integer() and isinstance(value, int) else f"{value:,.1f}"


def percent(value: float) -> str:
    """A share in percent, two digits of it at least."""
    shown = 100 * value
    digits = 0 if shown == 0 or shown >= 10 else 1 if shown >= 1 else 2
    if 0 < abs(shown) < 0.005:
        return "< 0.01 %"
    text = f"{shown:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} %"


def size(value: float) -> str:
    """The size of a difference of rates in points of percent."""
    return f"{100 * abs(value):.2f}"


def decimal(value: float, digits: int = 3) -> str:
    """A number between 0 and about 1, such as an AUC."""
    return _signed(f"{value:.{digits}f}")


def gain(value: float) -> str:
    """A difference of two scores with its sign."""
    return _signed(f"{value:+.3f}")


def general(value: Any) -> str:
    """A setting or a statistic."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else _signed(f"{value:.4g}")


def p_value(value: float) -> str:
    """A p, 3e-7 as 3 × 10⁻⁷."""
    if value >= 0.001:
        return f"{value:.2g}"
    if value < FINEST:
        return f"< 10⁻{str(round(-math.log10(FINEST))).translate(POWERS)}"
    mantissa, _, exponent = f"{value:.0e}".partition("e-")
    return f"{mantissa} × 10⁻{str(int(exponent)).translate(POWERS)}"


def _signed(text: str) -> str:
    """A number with a typographic minus, and no sign before zero."""
    if not text.strip("+-0.,"):
        return text.lstrip("+-")
    return text.replace("-", "−")


def span(low: Number, high: Number) -> list[Part]:
    """An interval by its ends; one number where both are written alike."""
    return ["both ends ", low] if low.text == high.text else [low, " to ", high]


def listed(parts: Sequence[Sequence[Part]], last: str = " and ") -> list[Part]:
    """Parts of several things as one list in words: a, b and c."""
    joined: list[Part] = []
    for i, part in enumerate(parts):
        if i:
            joined.append(last if i == len(parts) - 1 else ", ")
        joined += part
    return joined


class Contrast:
    """A contrast of tests.json, its numbers with their sources."""

    def __init__(self, facts: Mapping[str, Any]):
        self.facts = facts
        self.name: str = facts["name"]
        self.anchor = f"c-{slug(self.name)}"

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def get(self, path: str) -> Any:
        """A value by its path."""
        return at(self.facts, path)

    def has(self, path: str) -> bool:
        """True if the contrast has such a number."""
        return is_number(self.get(path))

    def source(self, path: str) -> str:
        """The file and the place in it."""
        return f"{JSON}: contrasts[{self.name}].{path}"

    def number(self, path: str, form: Any = count) -> Number:
        """A number by its path; a dash where it is missing."""
        value = self.get(path)
        text = form(value) if is_number(value) else NONE
        return Number(text, self.source(path), f"#{self.anchor}-{slug(path)}")

    def share(self, above: str, below: str) -> Number:
        """A quotient of two numbers in percent."""
        top, bottom = self.get(above), self.get(below)
        text = percent(top / bottom) if is_number(top) and bottom else NONE
        return Number(text, f"{self.source(above)} / {below}", f"#{self.anchor}-{above}")

    def shuffled(self, which: str, column: int = 1) -> Number:
        """Mean, smallest or largest count of the shuffles; column: 0 discovered, 1 confirmed."""
        values = self.shuffles(column)
        value = OVER[which](values) if values else None
        text = NONE if value is None else count(value)
        source = f"{which} of {self.source(f'shuffled[*][{column}]')}"
        return Number(text, source, f"#{self.anchor}-shuffled.{column}")

    def n_shuffles(self) -> Number:
        """The number of shuffles."""
        source = f"number of {self.source('shuffled[*]')}"
        return Number(count(len(self.shuffles())), source, f"#{self.anchor}-shuffled.1")

    def shuffles(self, column: int = 1) -> list[int]:
        """The counts of each shuffle."""
        return [pair[column] for pair in self.facts.get("shuffled") or ()]

    @property
    def sides(self) -> tuple[Term, Term]:
        """The names of both sides."""
        return Term(str(self.facts["a"])), Term(str(self.facts["b"]))

    @property
    def is_of_rates(self) -> bool:
        """True if the effect is a difference of firing rates."""
        return "rate" in self.facts["effect"]

    def smallest(self) -> list[Part]:
        """The smallest effect that could be seen, with its unit; [] where it is not known."""
        if not self.has("smallest_detectable"):
            return []
        if self.is_of_rates:
            return [
                self.number("smallest_detectable", size),
                " percentage points of firing rate",
            ]
        return [self.number("smallest_detectable", decimal), " of rank correlation"]

    def why_unknown(self) -> str:
        """The reason why the smallest effect that could be seen is not known, where it is not."""
        if not self.facts["n_tested"]:
            return "no feature was tested"
        return "no feature differs enough between the sides to tell"


OVER: dict[str, Any] = {
    "mean": lambda values: sum(values) / len(values),
    "smallest": min,
    "largest": max,
}
"""Summaries of the counts of all shuffles."""


def is_paired(tests: Mapping[str, Any]) -> bool:
    """True if the texts of the study are edits of originals."""
    return bool(tests.get("paired", True))


def contrasts(tests: Mapping[str, Any]) -> list[Contrast]:
    """The contrasts of tests.json, those of the plan's main questions first."""
    every = [Contrast(facts) for facts in tests["contrasts"]]
    return sorted(every, key=lambda contrast: not contrast.facts.get("primary"))


def primary(tests: Mapping[str, Any]) -> list[Contrast]:
    """The contrasts of the plan's main questions; all of them where it names none."""
    every = contrasts(tests)
    return [contrast for contrast in every if contrast.facts.get("primary")] or every


def of_study(tests: Mapping[str, Any], path: str, form: Any = count) -> Number:
    """A number of tests.json that is of no contrast."""
    value = at(tests, path)
    text = form(value) if is_number(value) else NONE
    return Number(text, f"{JSON}: {path}", f"#study-{slug(path)}")
