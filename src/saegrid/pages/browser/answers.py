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
    of_study,
    primary,
    sentence,
    span,
)
from saegrid.pages.browser.verdict import CONFIRMED, is_stronger, state, verdict

SHORT = "In short"
NBSP = "\u00a0"


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


def _leaning(one: Contrast, a: Part, b: Part) -> list[Part]:
    """The side to which discovered features lean, or the number on each."""
    up, n = one["n_discovered_up"], one["n_discovered"]
    if up in (0, n):
        return ["all lean to " if n > 1 else "it leans to ", a if up else b, "."]
    return [one.number("n_discovered_up"), " lean to ", a, ", the others to ", b, "."]


def _by_strength(one: Contrast) -> list[Part]:
    """The features that stand out by strength alone, and why they are not counted; [] of none."""
    if not is_stronger(one):
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
        "a classifier that knows the words and their surprisal alone, and reads no activation, "
        f"reaches {_article(metric)} {metric} of ",
        probe.number(words),
        "; one that reads ",
        Number(count(best["k"]), probe.number(best, "k").source, probe.number(best).href),
        " features of the best SAE " if best["k"] != 1 else " feature of the best SAE ",
        probe.number(best),
        ", both on texts of the search that they had not learned from. ",
    ]
    low, high = best.get("gain_low"), best.get("gain_high")
    if not (is_number(low) and is_number(high)):
        return sentence(*parts, "How sure the difference is was not worked out.")
    outcome = (
        "The features know something that the words do not"
        if low > 0
        else "Added to the words, the features make it worse"
        if high < 0
        else "The features are not shown to know anything that the words do not"
    )
    return sentence(
        *parts,
        outcome,
        ": a classifier that reads both scores ",
        probe.number(best, "gain", gain),
        f" against that of the words (95{NBSP}% interval ",
        *span(probe.number(best, "gain_low", gain), probe.number(best, "gain_high", gain)),
        "). That is what they add to the words, on the same texts, and so not the difference of "
        "the two scores before it.",
    )


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
