"""The verdict on a study in one sentence, and the outcome of each of its contrasts."""

from collections.abc import Mapping
from typing import Any

from saegrid.pages.browser.sentences import Contrast, Number, Part, Sentence, Term, listed, sentence

CONFIRMED, LUCK, UNCONFIRMED, NOTHING = "confirmed", "luck", "unconfirmed", "nothing"


def state(contrast: Contrast) -> str:
    """The outcome of a contrast.

    confirmed: more features than under the luckiest shuffle; luck: some, but no more than that;
    unconfirmed: discovered ones alone; nothing: none.
    """
    if not contrast["n_discovered"]:
        return NOTHING
    if not contrast["n_confirmed"]:
        return UNCONFIRMED
    return CONFIRMED if contrast["n_confirmed"] > max(contrast.shuffles(), default=0) else LUCK


def verdict(main: list[Contrast], tests: Mapping[str, Any]) -> Sentence:
    """One line on the main questions of the plan, and on how many of the discovered features are
    more than something simpler."""
    holding = [one for one in main if state(one) == CONFIRMED]
    others = [one for one in main if state(one) != CONFIRMED]
    parts: list[Part] = []
    if holding:
        told_apart = [[_features(one), *_apart(one)] for one in holding]
        parts += [*listed(told_apart), ", also in texts that were kept aside."]
        for one in holding:
            parts += _remaining(tests, one, len(holding) > 1)
    for kind, words in (
        (LUCK, "No more features than chance gives tell "),
        (UNCONFIRMED, "What seemed to tell "),
        (NOTHING, "No feature was seen to tell "),
    ):
        alike = [one for one in others if state(one) == kind]
        if not alike:
            continue
        parts += [" " if parts else "", words, *listed([_sides(one) for one in alike], " or ")]
        if kind == NOTHING and any(is_stronger(one) for one in alike):
            parts.append(" by whether it fires")
        parts.append(" did not hold in texts that were kept aside." if kind == UNCONFIRMED else ".")
    return sentence(*parts)


def _remaining(tests: Mapping[str, Any], one: Contrast, named: bool) -> list[Part]:
    """The discovered features of a contrast that are more than something simpler, in words: those
    that stay with the nuisances out, and among the texts of one word; [] where neither was tried.

    Both tests are of the search, so that they count among the discovered features.
    """
    groups = (tests.get("nuisances") or {}).get("groups") or ["the nuisances"]
    simpler = {"n_nuisances": listed([[str(name)] for name in groups]),
               "n_word": ["the word itself"]}  # fmt: skip
    tried = [path for path in simpler if one.has(path)]
    if not tried:
        return []
    of: list[Part] = [" for ", Term(one["title"])] if named else []
    parts: list[Part] = [" Of the ", one.number("n_discovered"), " discovered", *of, ", "]
    for at, path in enumerate(tried):
        number = one.number(path) if one[path] else one.number(path)._replace(text="none")
        verb = " remains beyond " if one[path] == 1 else " remain beyond "
        parts += [", and " if at else "", number, " beyond " if at else verb, *simpler[path]]
    return [*parts, "."]


def _features(one: Contrast) -> Number:
    number = one.number("n_confirmed")
    noun = "feature" if one["n_confirmed"] == 1 else "features"
    return number._replace(text=f"{number.text} {noun}")


def _apart(one: Contrast) -> list[Part]:
    return [" tells " if one["n_confirmed"] == 1 else " tell ", *_sides(one)]


def _sides(one: Contrast) -> list[Part]:
    a, b = one.sides
    return [a, " from ", b]


def is_stronger(one: Contrast) -> bool:
    """True if more features stand out by how strongly they fire than by whether they do."""
    return one.has("n_magnitude") and one["n_magnitude"] > one["n_discovered"]
