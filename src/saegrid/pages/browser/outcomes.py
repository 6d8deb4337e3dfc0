"""The outcome of each contrast: its numbers as a table, and what they say in sentences."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from saegrid.pages.browser.sentences import (
    Contrast,
    Fact,
    Number,
    Part,
    Sentence,
    Term,
    at,
    count,
    decimal,
    general,
    is_number,
    is_paired,
    of_study,
    percent,
    sentence,
    size,
    slug,
)

Form = Callable[[Any], str]

STEPS: tuple[tuple[str, str, Form], ...] = (
    ("n_tested", "features tested", count),
    ("n_discovered", "discovered", count),
    ("n_discovered_up", "of these that lean to the first side", count),
    ("n_same_sign", "of these the same way in the texts kept aside", count),
    ("n_confirmed", "confirmed there", count),
    ("n_confirmed_up", "of these that lean to the first side", count),
    ("n_confirmed_new_words", "confirmed where also the word is new", count),
    ("n_tested_once", "confirmed in the test texts, opened once", count),
)
FURTHER: tuple[tuple[str, str, Form], ...] = (
    ("n_a", "texts or pairs of the first side", count),
    ("n_b", "texts of the second side", count),
    ("n_clusters", "groups of texts that belong together (clusters)", count),
    ("threshold", "statistic that a discovery must reach", general),
    ("smallest_detectable", "effect that this is for the median feature", general),
    ("n_magnitude", "discovered by magnitude in the place of firing", count),
    ("n_nuisances", "discovered ones left with the nuisances out", count),
    ("n_nuisances_all", "all that are discovered with the nuisances out", count),
    ("r2_nuisances", "share of the label that the nuisances explain", percent),
    ("n_word", "discovered ones left with the word itself out", count),
    ("n_bh", "at q within each cell, Benjamini and Hochberg", count),
    ("n_by", "the same, Benjamini and Yekutieli", count),
    ("n_cells_selected", "cells that the hierarchy selects", count),
    ("n_hierarchy", "features that pass its second step", count),
    ("pi0", "estimated share of features with nothing to find", percent),
    ("shrinkage", "effects kept aside for those of the search (slope)", percent),
)
OF_NULLS = (
    ("n_cells", "cells", count),
    ("n_tested", "features tested", count),
    ("n_discovered", "discovered", count),
    ("n_confirmed", "confirmed", count),
    ("best_auroc", "largest AUROC of a feature", decimal),
)
USUAL_PARTS = {
    "discovery": "search",
    "confirmation": "kept aside",
    "test": "test, opened once",
}
"""Parts of the texts that every study may have; others are further corpora."""
ALIKE = 0.1
"""Share by which two counts may differ and still count as alike."""
NULLS = (("untrained", "untrained model"), ("frozen", "SAEs with a frozen part"))


def facts(contrast: Contrast) -> list[Fact]:
    """All numbers of a contrast with the field that each is from."""
    rows = [_fact(contrast, *one) for one in STEPS]
    for name in contrast.get("beyond") or {}:
        rows.append(_fact(contrast, f"beyond.{name}", f"confirmed in {name}", count))
    rows += [_fact(contrast, *one) for one in FURTHER]
    for reason in contrast.get("left_out") or {}:
        rows.append(_fact(contrast, f"left_out.{reason}", f"texts left out: {reason}", count))
    for column, words in ((0, "discovered"), (1, "confirmed")):
        if contrast.shuffles(column):
            mean, low, high = (
                contrast.shuffled(which, column) for which in ("mean", "smallest", "largest")
            )
            rows.append(
                Fact(
                    f"{contrast.anchor}-shuffled.{column}",
                    f"{words} with labels shuffled: mean, range over the shuffles",
                    Number(
                        f"{low.text} in each"
                        if low.text == high.text
                        else f"{mean.text}, {low.text} to {high.text}",
                        contrast.source(f"shuffled[*][{column}]"),
                        "",
                    ),
                )
            )
    for key, name in NULLS:
        if contrast.get(key) is not None:
            rows += [
                _fact(contrast, f"{key}.{field}", f"{name}: {words}", form)
                for field, words, form in OF_NULLS
            ]
    return rows


def _fact(contrast: Contrast, path: str, words: str, form: Form) -> Fact:
    if path == "smallest_detectable":
        form = size if contrast.is_of_rates else decimal
    number = contrast.number(path, form) if contrast.has(path) else None
    return Fact(f"{contrast.anchor}-{slug(path)}", words, number)


def texts_of(tests: Mapping[str, Any], contrast: Contrast) -> Sentence:
    """The texts that are compared, and how many of all are searched."""
    a, b = contrast.sides
    kind = contrast["kind"]
    if kind == "pairs":
        parts: list[Part] = [contrast.number("n_a"), " pairs, ", a, " against ", b]
    elif kind == "scores":
        parts = [contrast.number("n_a"), " texts, from ", b, " to ", a]
    else:
        parts = [contrast.number("n_a"), " texts of ", a, " against ", contrast.number("n_b"),
                 " of ", b]  # fmt: skip
    if is_paired(tests):
        parts += [", from ", contrast.number("n_clusters"), " originals."]
    else:
        n = contrast["n_a"] + (contrast["n_b"] or 0)
        if contrast["n_clusters"] < n:
            parts += [", in ", contrast.number("n_clusters"), " groups that belong together"]
        parts += [".", *_searched(tests)]
    if left_out := contrast.get("left_out"):
        parts.append(" Left out: ")
        for i, reason in enumerate(left_out):
            parts += ["; " if i else "", contrast.number(f"left_out.{reason}"), f" ({reason})"]
        parts.append(".")
    if contrast.get("scheme"):
        scheme = contrast["scheme"].rstrip(".")
        if not is_paired(tests):
            scheme = scheme.replace("whole originals", "texts").replace("originals", "texts")
        parts.append(f" Under shuffling: {scheme}.")
    return sentence(*parts)


def _searched(tests: Mapping[str, Any]) -> list[Part]:
    """The numbers of texts that were searched and kept aside; [] where they are not known."""
    known = [at(tests, f"parts.{name}.n") for name in USUAL_PARTS]
    if not all(map(is_number, known[:2])):
        return []
    total = sum(n for n in known if is_number(n))
    parts: list[Part] = [
        " ",
        of_study(tests, "parts.discovery.n"),
        f" of the {total:,} texts were searched, ",
        of_study(tests, "parts.confirmation.n"),
        " were kept aside",
    ]
    if is_number(known[2]):
        parts += [", ", of_study(tests, "parts.test.n"), " are opened once at the end"]
    return [*parts, "."]


def explained(tests: Mapping[str, Any], contrast: Contrast) -> list[tuple[str, Sentence]]:
    """Questions that the numbers of a contrast answer, with a sentence each."""
    lines = [
        ("Is it something simpler?", _nuisances(tests, contrast)),
        ("More than the word?", _word(contrast)),
        ("Whether it fires, or how strongly?", _magnitude(contrast)),
        ("Where is the bar?", _threshold(tests, contrast)),
        ("What would other corrections say?", _corrections(tests, contrast)),
        ("Do effects shrink?", _shrinkage(contrast)),
        ("And elsewhere?", _beyond(contrast)),
    ]
    return [(question, one) for question, one in lines if one is not None]


def _nuisances(tests: Mapping[str, Any], one: Contrast) -> Sentence | None:
    if not one.has("n_nuisances") or not one["n_discovered"]:
        return None
    known = tests.get("nuisances") or {}
    groups = ", ".join(map(str, known.get("groups") or ())) or "the nuisances"
    parts: list[Part] = [
        one.number("n_nuisances"),
        " of the ",
        one.number("n_discovered"),
        f" discovered features stay so once these are accounted for: {groups}.",
    ]
    if one.has("n_nuisances_all"):
        parts += [" Searched anew with them out, ", one.number("n_nuisances_all"), " are found."]
    if one.has("r2_nuisances"):
        parts += [" They explain ", one.number("r2_nuisances", percent), " of the label."]
    if known.get("frequency_source"):
        parts.append(f" Word frequency: {known['frequency_source']}.")
    if known.get("surprisal"):
        parts.append(f" Surprisal: {known['surprisal']}.")
    return sentence(*parts)


def _word(one: Contrast) -> Sentence | None:
    if not one.has("n_word") or not one["n_discovered"]:
        return None
    return sentence(
        one.number("n_word"),
        " of the ",
        one.number("n_discovered"),
        " stay when labels are compared and exchanged among the texts of one word alone. This is a "
        "strict question: a meaning that the word itself carries goes with it.",
    )


def _magnitude(one: Contrast) -> Sentence | None:
    if not one.has("n_magnitude"):
        return None
    parts: list[Part] = ["By how strongly it fires, ", one.number("n_magnitude")]
    parts += [
        " feature stands out; " if one["n_magnitude"] == 1 else " features stand out; ",
        "by whether it fires, ",
        one.number("n_discovered"),
    ]
    if one["n_magnitude"] > (1 + ALIKE) * one["n_discovered"]:
        parts.append(": how strongly it fires tells more than whether it does.")
    elif one["n_magnitude"] < (1 - ALIKE) * one["n_discovered"]:
        parts.append(": whether it fires tells more than how strongly it does.")
    else:
        parts.append(": how strongly it fires tells little beyond whether it does.")
    return sentence(*parts)


def _threshold(tests: Mapping[str, Any], one: Contrast) -> Sentence | None:
    if not one.has("threshold"):
        return None
    smallest = one.smallest()
    return sentence(
        "A feature is discovered if its statistic passes ",
        one.number("threshold", general),
        ". Of ",
        of_study(tests, "plan.permutations"),
        " permutations of the labels, the largest statistic of all features in all cells passes it "
        "in no more than ",
        of_study(tests, "plan.alpha", percent),
        *([". For the median feature that is an effect of ", *smallest] if smallest else []),
        ".",
    )


def _corrections(tests: Mapping[str, Any], one: Contrast) -> Sentence | None:
    if not one.has("n_bh"):
        return None
    parts: list[Part] = [
        "Letting ",
        of_study(tests, "plan.q", percent),
        " of what passes be false (Benjamini and Hochberg, in each cell), ",
        one.number("n_bh"),
        " pass",
    ]
    if one.has("n_by"):
        parts += ["; under any dependence (Benjamini and Yekutieli) ", one.number("n_by")]
    if one.has("n_hierarchy"):
        parts += [
            "; in two steps, first the cells in which anything stands out and then the features "
            "in them, ",
            one.number("n_hierarchy"),
            " pass in ",
            one.number("n_cells_selected"),
            " of ",
            of_study(tests, "n_cells"),
            " cells",
        ]
    parts.append(".")
    if one.has("pi0"):
        parts += [
            " The p-values of all features together look as if about ",
            one.number("pi0", percent),
            " of the features did not differ between the two sides at all.",
        ]
    return sentence(*parts)


def _shrinkage(one: Contrast) -> Sentence | None:
    if not one.has("shrinkage"):
        return None
    return sentence(
        "In the texts kept aside the effects are ",
        one.number("shrinkage", percent),
        " of what they were in the search"
        + (
            ": what is chosen for being large was also lucky."
            if one["shrinkage"] < 0.95
            else ": they were not large by luck."
        ),
    )


def _beyond(one: Contrast) -> Sentence | None:
    names = one.get("beyond") or {}
    known = [name for name in names if is_number(names[name])]
    if not known or not one["n_discovered"]:
        return None
    parts: list[Part] = ["Of the ", one.number("n_discovered"), " discovered features "]
    for i, name in enumerate(known):
        parts += [", " if i else "", one.number(f"beyond.{name}"), " are confirmed in ", Term(name)]
    return sentence(*parts, ".")


def funnel(tests: Mapping[str, Any], contrast: Contrast) -> list[tuple[Number, str, float]]:
    """(number, words, share of the tested ones by square root) of the steps to a confirmed one; of
    texts that are no edits without the step that asks for new edits."""
    steps = [
        ("n_tested", "tested"),
        ("n_discovered", "discovered"),
        ("n_same_sign", "same way aside"),
        ("n_confirmed", "confirmed"),
        ("n_confirmed_new_words", "… where the edit is a word that the search had not seen"),
        ("n_tested_once", "… in the test texts"),
    ]
    total = contrast["n_tested"] or 1
    return [
        (contrast.number(name), words, min(1.0, contrast[name] / total) ** 0.5)
        for name, words in steps
        if contrast.has(name) and (is_paired(tests) or "new_words" not in name)
    ]


def study_facts(tests: Mapping[str, Any]) -> list[Fact]:
    """The numbers of tests.json that are of no contrast."""
    paths: list[tuple[str, str, Form]] = [
        ("n_cells", "SAEs (cells)", count),
        ("n_features", "features tested in any contrast, over all cells", count),
        *(
            (f"parts.{name}.n", f"texts of the part: {name}", count)
            for name in tests.get("parts") or {}
        ),
        ("base_high", "share of the search’s texts with a high label", percent),
        ("high", "a high label is at least", general),
        ("low", "a low label is at most", general),
    ]
    rows = [
        Fact(f"study-{slug(path)}", words, of_study(tests, path, form))
        for path, words, form in paths
        if is_number(at(tests, path))
    ]
    plan: Mapping[str, Any] = tests.get("plan") or {}
    for name in plan:
        value = plan[name]
        text = SHARES.get(name, general)(value) if is_number(value) else _words(value)
        number = Number(text, f"tests.json: plan.{name}", "")
        rows.append(Fact(f"study-plan.{slug(name)}", f"plan: {PLAN.get(name, name)}", number))
    return rows


PLAN = {
    "permutations": "permutations of the labels",
    "alpha": "chance that anything at all is found by luck (alpha)",
    "q": "share of what passes that may be false (q)",
    "min_texts": "texts in which a feature must fire to be tested",
    "seed": "seed of the permutations",
    "primary": "main questions",
    "contrasts": "all questions",
}
SHARES = {"alpha": percent, "q": percent}


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_words(one)}" for key, one in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_words(one) for one in value) or "none"
    return "none" if value is None else str(value)
