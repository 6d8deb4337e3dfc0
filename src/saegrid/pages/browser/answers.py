"""The findings of a study in plain sentences: the opening of its findings and of its front page."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from saegrid.base.io import read_json, read_table
from saegrid.pages.browser import nulls
from saegrid.pages.browser.classifiers import Probe, classifiers
from saegrid.pages.browser.sentences import (
    JSON,
    Contrast,
    Line,
    Number,
    Part,
    Sentence,
    Term,
    contrasts,
    count,
    gain,
    is_number,
    listed,
    of_study,
    primary,
    sentence,
)

SHORT = "In short"
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


def answers(
    tests: Mapping[str, Any],
    probes: Mapping[str, Any] | None = None,
    summary: pa.Table | None = None,
) -> list[Line]:
    """The findings in plain sentences; the first line is the verdict.

    tests: tests.json; probes, summary: probes.json and probes_summary.parquet, None where there
    are no classifiers. `str` of a sentence is its text. Links of numbers are within findings.html.
    """
    main = primary(tests)
    named = len(main) > 1
    of_probes = classifiers(probes, summary, tests.get("frozen_cells") or ())
    lines = [Line(SHORT, (verdict(main, tests),))]
    if changes := tests.get("plan_changes"):
        words = sentence(
            "The plan of the analysis was changed ",
            Number(count(len(changes)), f"number of {JSON}: plan_changes[*]", "#plan"),
            " time after it was first written:"
            if len(changes) == 1
            else " times after it was first written:",
        )
        lines.append(Line("Plan changed", (words, *(sentence(str(one)) for one in changes))))
    lines.append(Line("Found", tuple(_found(tests, one, named) for one in main)))
    lines.append(Line("Confirmed", tuple(_confirmed(tests, one, named) for one in main)))
    lines.append(Line("Not found", tuple(_missed(one, named) for one in main)))
    lines.append(Line("By chance", tuple(_chance(one, named) for one in main)))
    lines.append(Line("Against words", _against(of_probes)))
    if further := [
        one
        for one in contrasts(tests)
        if one not in main and one.name not in {own.name for own in main}
    ]:
        lines.append(Line("Also asked", tuple(_brief(one) for one in further)))
    return lines


def read_answers(paths: Sequence[str]) -> list[Line]:
    """The findings from their files: tests.json and, where there are classifiers, probes.json and
    probes_summary.parquet; none of no files."""
    if not paths:
        return []
    tests, *probes = paths
    if not probes:
        return answers(read_json(tests))
    return answers(read_json(tests), read_json(probes[0]), read_table(probes[1]))


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
        if kind == NOTHING and any(_stronger(one) for one in alike):
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


def _name(one: Contrast, named: bool) -> list[Part]:
    """The title of a contrast with a colon, where a line speaks of several."""
    return [Term(one["title"]), ": "] if named else []


def _found(tests: Mapping[str, Any], one: Contrast, named: bool) -> Sentence:
    a, b = one.sides
    parts: list[Part] = [
        *_name(one, named),
        "of ",
        one.number("n_tested"),
        " features of ",
        of_study(tests, "n_cells"),
        " SAE that were tested, " if tests.get("n_cells") == 1 else " SAEs that were tested, ",
        one.number("n_discovered"),
    ]
    if one["n_discovered"]:
        parts += [" stand out: ", *_leaning(one, a, b)]
    else:
        parts.append(" stand out.")
    return sentence(*_begun([*parts, *_by_strength(one)]))


def _stronger(one: Contrast) -> bool:
    """True if more features stand out by how strongly they fire than by whether they do."""
    return one.has("n_magnitude") and one["n_magnitude"] > one["n_discovered"]


def _leaning(one: Contrast, a: Part, b: Part) -> list[Part]:
    """The side to which discovered features lean, or the number on each."""
    up, n = one["n_discovered_up"], one["n_discovered"]
    if up in (0, n):
        return ["all lean to " if n > 1 else "it leans to ", a if up else b, "."]
    return [one.number("n_discovered_up"), " lean to ", a, ", the others to ", b, "."]


def _by_strength(one: Contrast) -> list[Part]:
    """The features that stand out by strength alone, and why they are not counted; [] of none."""
    if not _stronger(one):
        return []
    is_one = one["n_magnitude"] == 1
    return [
        " By how strongly features fire, instead of whether they do, ",
        one.number("n_magnitude"),
        " feature stands out" if is_one else " features stand out",
        ". The plan counts firing alone, and only what that finds is tried in the texts kept "
        "aside: what stands out by strength alone is an idea to test, and does not count as found.",
    ]


def _confirmed(tests: Mapping[str, Any], one: Contrast, named: bool) -> Sentence:
    if not one["n_discovered"]:
        return sentence(*_begun([*_name(one, named), "nothing was there to be confirmed."]))
    parts: list[Part] = [
        *_name(one, named),
        "in ",
        of_study(tests, "parts.confirmation.n"),
        " texts that the search had not seen, ",
        one.number("n_confirmed"),
        " of these stand out again",
    ]
    if one["n_confirmed"]:
        parts += [" (", one.share("n_confirmed", "n_discovered"), ")"]
    if one["n_confirmed"] and one.has("n_confirmed_new_words"):
        parts += [
            "; where also the words are new, ",
            one.number("n_confirmed_new_words"),
            " still do" if one["n_confirmed_new_words"] != 1 else " still does",
        ]
    if one["n_confirmed"] and one.has("n_tested_once"):
        parts += [
            "; in ",
            of_study(tests, "parts.test.n"),
            " test texts, opened once, ",
            one.number("n_tested_once"),
        ]
    return sentence(*_begun([*parts, "."]))


def _missed(one: Contrast, named: bool) -> Sentence:
    smallest = one.smallest()
    parts = _name(one, named)
    if state(one) != CONFIRMED:
        a, b = one.sides
        parts += ["no feature is shown to tell ", a, " from ", b, ". That does not show that "
                  "there is none: "]  # fmt: skip
    if not smallest:
        why = one.why_unknown()
        parts += ["how large an effect could have been missed is not known, as ", why, "."]
    elif state(one) != CONFIRMED:
        parts += ["an effect below about ", *smallest, " would have been missed."]
    else:
        parts += ["features with an effect below about ", *smallest, " would have been missed."]
    return sentence(*_begun(parts))


def _chance(one: Contrast, named: bool) -> Sentence:
    parts = _name(one, named)
    if not one.shuffles():
        return sentence(*_begun([*parts, "shuffled labels were not tried."]))
    parts += [
        "with labels shuffled, ",
        one.shuffled("mean"),
        " features are confirmed on average and ",
        one.shuffled("largest"),
        " at most (",
        one.n_shuffles(),
        " shuffles), where we have ",
        one.number("n_confirmed"),
    ]
    for key, words in (
        ("untrained", "; of the untrained model "),
        ("frozen", "; of SAEs with a frozen part "),
    ):
        if one.has(f"{key}.n_confirmed"):
            parts += [
                words,
                one.number(f"{key}.n_confirmed"),
                " of ",
                one.number(f"{key}.n_tested"),
                " features",
            ]
    if _as_much(one):
        parts.append(", as large a share: it takes no learned dictionary to find such features")
    return sentence(*_begun([*parts, "."]))


def _as_much(one: Contrast) -> bool:
    """True if at least as large a share of the features of frozen SAEs is confirmed."""
    if not one.has("frozen.n_confirmed") or not one["n_confirmed"]:
        return False
    frozen = one["frozen"]
    return frozen["n_confirmed"] * one["n_tested"] >= one["n_confirmed"] * frozen["n_tested"]


def _against(of_probes: list[Probe]) -> tuple[Sentence, ...]:
    if not of_probes:
        return (
            sentence(
                f"SAE features were not held against words and their surprisal. {nulls.PROBES}"
            ),
        )
    return tuple(_against_words(probe) for probe in of_probes)


def _against_words(probe: Probe) -> Sentence:
    best, words = probe.best(), probe.words
    name: list[Part] = [Term(probe.title), ": "]
    if best is None or words is None:
        return sentence(*name, "there are no scores to compare.")
    metric = probe.metric.partition(":")[0]
    parts: list[Part] = [
        *name,
        "a classifier that knows the words and their surprisal alone reaches "
        f"{_article(metric)} {metric} of ",
        probe.number(words),
        "; one that reads ",
        Number(count(best["k"]), probe.number(best, "k").source, probe.number(best).href),
        " features of the best SAE " if best["k"] != 1 else " feature of the best SAE ",
        probe.number(best),
        ". ",
    ]
    low, high = best.get("gain_low"), best.get("gain_high")
    if not (is_number(low) and is_number(high)):
        return sentence(*parts, "How sure the difference is was not worked out.")
    interval: list[Part] = [
        "(",
        probe.number(best, "gain", gain),
        ", 95\u00a0% interval ",
        probe.number(best, "gain_low", gain),
        " to ",
        probe.number(best, "gain_high", gain),
        ").",
    ]
    outcome = (
        "The features know something that the words do not "
        if low > 0
        else "The features do worse than the words "
        if high < 0
        else "The features do not beat the words "
    )
    return sentence(*parts, outcome, *interval)


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiour" else "a"


def _brief(one: Contrast) -> Sentence:
    return sentence(
        Term(one["title"]),
        ": ",
        one.number("n_confirmed"),
        " of ",
        one.number("n_discovered"),
        " discovered features are confirmed; with labels shuffled at most ",
        one.shuffled("largest"),
        ".",
    )


def _begun(parts: list[Part]) -> list[Part]:
    """Parts of which the first begins with a capital, if it is of words."""
    first, *rest = parts
    return [first[:1].upper() + first[1:], *rest] if isinstance(first, str) else parts
