"""The sentences and the table of numbers of the page of the map."""

from collections.abc import Mapping
from typing import Any

from saegrid.evidence.records import FROZEN, RESULT
from saegrid.pages.browser.searched import Searched
from saegrid.pages.browser.sentences import (
    NONE,
    Fact,
    Line,
    Number,
    Part,
    Sentence,
    at,
    count,
    is_number,
    p_value,
    percent,
    sentence,
    slug,
)

SOURCE = "concept_map.json"


def answers(counts: Mapping[str, Any], features: Searched | None = None) -> list[Line]:
    """The subjects of the features of a study in plain sentences; the first line is the verdict."""
    own = counts[RESULT] or counts[FROZEN] or {}
    family = RESULT if counts[RESULT] else FROZEN

    def n(name: str, form: Any = count) -> Number:
        return number(counts, f"{family}.{name}", form)

    verdict = (
        sentence(n("n_meaning_grid"), " of ", n("n_judged"),
                 _are(own.get("n_meaning_grid")), "about something that can be named.")
        if own.get("n_meaning_grid")
        else sentence("No feature of ", n("n_judged"),
                      " was seen to be about something that can be named.")
    )  # fmt: skip
    lines = [Line("In short", (verdict,)), Line("Named", (_named(counts, family),))]
    more = " more" if own.get("n_meaning_grid") else ""
    fire = f"{more} fires" if own.get("n_coherent") == 1 else f"{more} fire"
    nameless = sentence(
        n("n_coherent"),
        f"{fire} on words that are nearer to one another than chance gives, without a concept "
        "that names them.",
    )
    lines.append(Line("Nameless", (nameless,)))
    form = sentence(
        n("n_form"),
        " are of one word, of a piece of words, a spelling or a place in the text, which is no "
        "meaning; ",
        n("n_none"),
        " are of nothing that was seen.",
    )
    lines.append(Line("Form", (form,)))
    if counts["n_concepts"]:
        lines.append(Line("By chance", (_chance(counts, family),)))
    lines.append(Line("Frozen SAEs", (_frozen(counts),)))
    if features is not None:
        lines.append(Line("Search", (_carried(features),)))
    return lines


def _named(counts: Mapping[str, Any], family: str) -> Sentence:
    """The sentence on the features that are of a concept."""

    def n(name: str, form: Any = count) -> Number:
        return number(counts, f"{family}.{name}", form)

    if not counts["n_concepts"]:
        return sentence(
            "The study has no concept: in no lexicon of `concepts.lexicons` is there a concept of "
            "which at least five different words (or as many as `concepts.min_types` says) stand "
            "in these texts. Features are judged by their form and by how near their words "
            "are to one another."
        )
    parts: list[Part] = [
        "Of ", n("n_judged"), " features that fire often enough to be judged (five times at "
        "least, unless `concepts.least` says otherwise), in ",
        n("n_cells"), " SAE" if at(counts, f"{family}.n_cells") == 1 else " SAEs", ", ",
        n("n_meaning"), " are of a concept where chance is counted in their own cell, and ",
        n("n_meaning_grid"), " (", quotient(counts, family),
        ") where it is counted over all cells.",
    ]  # fmt: skip
    every = number(counts, "n_concepts")
    is_one = counts["n_concepts"] == 1
    if at(counts, f"{family}.n_meaning_grid"):
        of = [" concept of the lexicons."] if is_one else [" concepts of the lexicons."]
        parts += [" These are of ", n("n_concepts_grid"), " of the " if not is_one else " of ",
                  every, *of]  # fmt: skip
    else:
        parts += [" The lexicons have ", every, " concept" if is_one else " concepts",
                  " of which enough different words stand in these texts."]  # fmt: skip
    return sentence(*parts)


def _are(n: int | None) -> str:
    return " features is " if n == 1 else " features are "


def _chance(counts: Mapping[str, Any], family: str) -> Sentence:
    """The sentence on dealt lexicons."""

    def n(name: str, form: Any = count) -> Number:
        return number(counts, f"{family}.{name}", form)

    if not is_number(at(counts, f"{family}.level")):
        return sentence(
            "The lexicons were dealt to the words at random ", number(counts, "permutations"),
            " times, too few for a level of ", number(counts, "alpha", percent), ".",
        )  # fmt: skip
    return sentence(
        "The lexicons were dealt to the words at random ", number(counts, "permutations"),
        " times, alike in all cells. A feature counts over all cells where its p is below ",
        n("level", power), ", which ", n("n_reached"),
        " of the deals reached with any feature of any cell; the luckiest had ",
        n("luckiest", power), ", half of them no less than ", n("median", power), ".",
    )  # fmt: skip


def _frozen(counts: Mapping[str, Any]) -> Sentence:
    if not counts[FROZEN]:
        return sentence("Not run: add an SAE with `freeze: decoder` to the grid.")
    parts: list[Part] = [
        "Of ", number(counts, f"{FROZEN}.n_judged"), " features in ",
        number(counts, f"{FROZEN}.n_cells"),
        " SAE" if at(counts, f"{FROZEN}.n_cells") == 1 else " SAEs",
        " of which a part stayed at its random start, ",
        number(counts, f"{FROZEN}.n_meaning_grid"), " (", quotient(counts, FROZEN),
        ") are of a concept, chance counted over these cells",
    ]  # fmt: skip
    if counts[RESULT]:
        parts += ["; of the others it is ", quotient(counts, RESULT)]
    return sentence(*parts, ".")


def searchable(features: Searched) -> dict[str, Fact]:
    """The rows of the table of numbers that say which features can be searched for."""
    rows = (
        ("n", "features that can be searched for here", "this page"),
        ("n_judged", "features judged, of all cells", "rows of concepts.parquet of all cells"),
        ("n_of_something", "of these of a kind other than none", "kind of the same"),
    )
    return {
        name: Fact(f"n-{name}", words, Number(count(getattr(features, name)), source, f"#n-{name}"))
        for name, words, source in rows
    }


def _carried(features: Searched) -> Sentence:
    """The sentence on the features that can be searched for."""
    n, judged, some = (fact.number or NONE for fact in searchable(features).values())
    if features.n == features.n_judged:
        return sentence("All ", n, " judged features can be searched for on this page.")
    if features.n <= features.n_of_something:
        return sentence(
            n, " of the ", some, " features that are of anything can be searched for, those with "
            "the smallest p; the others of ", judged, " are on the pages of their cells.",
        )  # fmt: skip
    return sentence(
        n, " of ", judged, " features can be searched for: all ", some, " that are of anything, "
        "and of the others those with the smallest p. The rest are on the pages of their cells.",
    )  # fmt: skip


def number(counts: Mapping[str, Any], path: str, form: Any = count) -> Number:
    """A number of concept_map.json; a dash where it is missing."""
    value = at(counts, path)
    text = form(value) if is_number(value) else NONE
    return Number(text, f"{SOURCE}: {path}", f"#n-{slug(path)}")


def quotient(counts: Mapping[str, Any], family: str) -> Number:
    """The share of the judged features that are of meaning at the level of the grid."""
    above, below = (at(counts, f"{family}.{name}") for name in ("n_meaning_grid", "n_judged"))
    text = percent(above / below) if below else NONE
    path = f"{family}.n_meaning_grid"
    return Number(text, f"{SOURCE}: {path} / {family}.n_judged", f"#n-{slug(path)}")


def power(log10_p: float) -> str:
    """A p by its logarithm."""
    return p_value(10.0**log10_p)


WORDS = {
    "n_cells": ("number of SAEs", count),
    "n_judged": ("features judged", count),
    "n_meaning": ("of a concept, chance counted in their cell", count),
    "n_meaning_grid": ("of a concept, chance counted over all cells", count),
    "n_concepts_grid": ("concepts that these are of", count),
    "n_coherent": ("of words near one another, without a concept", count),
    "n_form": ("of form", count),
    "n_word": ("of these one word with its compounds", count),
    "n_token": ("of these one piece of different words", count),
    "n_letter": ("of these a first letter", count),
    "n_ending": ("of these an ending", count),
    "n_position": ("of these the first or the last word of a text", count),
    "n_none": ("of nothing that was seen", count),
    "level": ("p that a feature must be below to count over all cells", power),
    "n_reached": ("dealt lexicons that reach this anywhere", count),
    "luckiest": ("smallest p of a dealt lexicon", power),
    "median": ("median of the smallest p of the dealt lexicons", power),
}
"""Numbers of a family of cells: what each is and its form."""


def numbers(counts: Mapping[str, Any]) -> list[Fact]:
    """The table of numbers."""
    rows = [
        ("alpha", "level, family-wise", percent),
        ("permutations", "dealt lexicons", count),
        (
            "n_concepts",
            "concepts of the lexicons with enough different words in the texts",
            count,
        ),
    ]
    for family, words in ((RESULT, ""), (FROZEN, "frozen SAEs: ")):
        if counts[family]:
            rows += [(f"{family}.{k}", words + what, form) for k, (what, form) in WORDS.items()]
    return [Fact(f"n-{slug(path)}", what, number(counts, path, form)) for path, what, form in rows]
