"""Subjects of findings: concepts of words that tell texts apart, and themes of features."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.pages.browser.sentences import (
    NONE,
    Contrast,
    Number,
    Sentence,
    count,
    gain,
    is_number,
    p_value,
    percent,
    sentence,
)

MOST = 40
"""Rows of each table that the page shows, the largest effects first."""
FIRST = 3
"""Features of a theme that its row shows at once."""
FOLDED = 100
"""Features of a theme that the row has beside these, folded up."""
LOOKED = ("test", "confirmation", "discovery")
"""Parts by how little was looked at in them before; the first one that a study has is shown."""


class About(NamedTuple):
    """The tables of concepts and themes, as rows of mappings."""

    concepts: Sequence[Mapping[str, Any]]
    concept_tests: Sequence[Mapping[str, Any]]
    concept_figures: Sequence[Mapping[str, Any]]
    themes: Sequence[Mapping[str, Any]]
    theme_features: Sequence[Mapping[str, Any]]
    theme_tests: Sequence[Mapping[str, Any]]
    theme_figures: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> "About":
        """The tables in the order of the fields."""
        return cls(*(table.to_pylist() for table in tables))


class Row(NamedTuple):
    """A concept or theme in the table of a contrast."""

    name: str
    words: str
    side: str
    features: Sequence[tuple[str, str]]
    """Text and link of its strongest features."""
    further: Sequence[tuple[str, str]]
    """Text and link of features that unfold."""
    n_further: int
    """Features beside the strongest; more than unfold where these are too many for a page."""
    size: str
    effect: str
    interval: str
    p: str
    confirmed: bool
    high: str
    high_interval: str
    without: str
    """The word that is left out, and the share of high labels without it."""
    inside: str
    inside_interval: str
    inside_without: str


class Asked(NamedTuple):
    """A contrast with its concepts or themes."""

    contrast: Contrast
    part: str
    """The part that the figures are of."""
    opening: Sentence
    rows: list[Row]
    has_high: bool


def concepts(about: About, every: Sequence[Contrast], alpha: float) -> list[Asked]:
    """The concepts of words that tell the texts of each contrast apart, the largest effects first.

    A concept is listed that discovery found; figures are of the part that was looked at least.
    """
    names = {row["thing"]: row for row in about.concepts}
    asked = []
    for contrast in every:
        own = [row for row in about.concept_tests if row["contrast"] == contrast.name]
        if not own:
            continue
        first = [r for r in own if r["part"] == "discovery" and r["p_maxt"] <= alpha]
        first.sort(key=lambda row: (-abs(row["statistic"]), row["thing"]))
        part = _part(own)
        rows = [
            _row(
                names[one["thing"]]["title"],
                "",
                f"{names[one['thing']]['n_types']:,} words of {names[one['thing']]['lexicon']}",
                _Looked(own, about.concept_figures, one["thing"], part),
                contrast,
                alpha,
            )
            for one in first
        ]
        tested = sum(row["part"] == "discovery" for row in own)
        n_confirmed = sum(row.confirmed for row in rows)
        source = "concept_tests.parquet"
        opening = sentence(
            "Of ",
            Number(
                count(tested), f"{source}: rows of {contrast.name}, discovery", "#concept-tests"
            ),
            " concepts of words, ",
            Number(count(len(first)), f"{source}: p_maxt", "#concept-tests"),
            " tell both sides apart in the search and ",
            Number(count(n_confirmed), f"{source}: p_maxt of confirmation", "#concept-tests"),
            " do so again in texts that were kept aside.",
        )
        asked.append(Asked(contrast, part, opening, rows, _has_high(rows)))
    return asked


def themes(about: About, every: Sequence[Contrast], alpha: float) -> list[Asked]:
    """The themes of each contrast, those with the largest effects first."""
    asked = []
    for contrast in every:
        listed = [row for row in about.themes if row["contrast"] == contrast.name]
        if not listed:
            continue
        own = [row for row in about.theme_tests if row["contrast"] == contrast.name]
        part = _part(own)
        rows = []
        for theme in listed:
            looked = _Looked(own, about.theme_figures, theme["theme"], part)
            if looked.of("discovery") is None:
                continue
            features = [f for f in about.theme_features if f["theme"] == theme["theme"]]
            rows.append(
                _row(
                    theme["label"] or "",
                    theme["words"],
                    _size(theme),
                    looked,
                    contrast,
                    alpha,
                    features,
                )
            )
        n_features = sum(row["n_features"] for row in listed)
        opening = sentence(
            Number(count(n_features), "theme_features.parquet: rows", "#themes"),
            f" confirmed feature{'s are' if n_features != 1 else ' is'} ",
            Number(count(len(listed)), "themes.parquet: rows", "#themes"),
            f" theme{'s' if len(listed) != 1 else ''}: features that fire on the same texts count "
            "as one finding.",
        )
        asked.append(Asked(contrast, part, opening, rows, _has_high(rows)))
    return asked


def _has_high(rows: Sequence[Row]) -> bool:
    return any(row.high != NONE for row in rows)


def _size(theme: Mapping[str, Any]) -> str:
    layers = f"layer {theme['first_layer']}"
    if theme["last_layer"] != theme["first_layer"]:
        layers = f"layers {theme['first_layer']} to {theme['last_layer']}"
    n, cells = theme["n_features"], theme["n_cells"]
    return (
        f"{n:,} feature{'s' if n != 1 else ''} in {cells:,} cell{'s' if cells != 1 else ''}, "
        f"{layers}; {theme['n_texts']:,} texts"
    )


def _part(rows: Sequence[Mapping[str, Any]]) -> str:
    present = {row["part"] for row in rows}
    return next((part for part in LOOKED if part in present), "discovery")


class _Looked(NamedTuple):
    """The rows of a thing in the tables of its tests and figures."""

    tests: Sequence[Mapping[str, Any]]
    figures: Sequence[Mapping[str, Any]]
    thing: int
    part: str
    """The part that is shown."""

    def of(self, part: str) -> Mapping[str, Any] | None:
        """Its test on a part; None where it has none."""
        return next((r for r in self.tests if r["thing"] == self.thing and r["part"] == part), None)

    def figure(self, without: bool) -> Mapping[str, Any]:
        """Its figure on the part that is shown, whole or without its commonest word."""
        return next(
            (
                f
                for f in self.figures
                if f["thing"] == self.thing
                and f["part"] == self.part
                and (f["without"] is not None) == without
            ),
            {},
        )


def _row(
    name: str,
    words: str,
    size: str,
    looked: _Looked,
    contrast: Contrast,
    alpha: float,
    features: Sequence[Mapping[str, Any]] = (),
) -> Row:
    searched, again = looked.of("discovery"), looked.of("confirmation")
    shown = looked.of(looked.part) or searched
    form = points if contrast.is_of_rates else gain
    whole, rest = looked.figure(False), looked.figure(True)
    a, b = (str(contrast[side]) for side in ("a", "b"))
    left_out = rest.get("without")
    links = [
        (f"{one['cell']} #{one['feature']}", f"{one['cell']}/features.html#{one['feature']}")
        for one in features[: FIRST + FOLDED]
    ]
    return Row(
        name,
        words,
        a if searched["statistic"] > 0 else b,
        links[:FIRST],
        links[FIRST:],
        max(0, len(features) - FIRST),
        size,
        _text(shown["effect"], form),
        _interval(shown["low"], shown["high"], form),
        _text(shown["p_maxt"], p_value),
        again is not None and again["p_maxt"] <= alpha,
        _counted(whole),
        _interval(whole.get("share_low_end"), whole.get("share_high_end"), percent),
        f"without “{left_out}”: {_counted(rest)}" if left_out else NONE,
        _text(whole.get("inside"), gain),
        _interval(whole.get("inside_low"), whole.get("inside_high"), gain),
        f"without “{left_out}”: {_text(rest.get('inside'), gain)}" if left_out else NONE,
    )


def points(value: float) -> str:
    """A difference of rates in percent with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{100 * abs(value):.1f} %"


def _counted(figure: Mapping[str, Any]) -> str:
    """A share with its counts."""
    if not is_number(figure.get("share_high")):
        return NONE
    return f"{percent(figure['share_high'])} ({figure['n_high']} of {figure['n_texts']})"


def _text(value: Any, form: Any) -> str:
    return form(value) if is_number(value) else NONE


def _interval(low: Any, high: Any, form: Any) -> str:
    return f"{form(low)} to {form(high)}" if is_number(low) and is_number(high) else ""


def base(about: About, part: str) -> str:
    """The share of all texts of a part whose label is high."""
    rows = [*about.concept_figures, *about.theme_figures]
    value = next((row["base"] for row in rows if row["part"] == part), None)
    return percent(value) if is_number(value) else NONE
