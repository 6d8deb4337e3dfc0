"""The contrasts of a study on one part of its texts, ready to be asked of any cell."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.words import EDITED, ORIGINAL
from saegrid.codes.sparse import Features
from saegrid.evidence import contrast, discovery, exchange, nuisances, parts
from saegrid.evidence.contrast import PAIRS, Design, Unusable
from saegrid.evidence.discovery import Bases, Question, Sides, Words
from saegrid.evidence.texts import TEXT, Texts

WORDS = "new words"
"""Name of the texts of a part whose edit words do not stand in discovery."""


class Corpus(NamedTuple):
    """A corpus as contrasts read it."""

    texts: Texts
    numbers: Mapping[str, nuisances.Numbers]
    """Nuisances by side."""
    words: Mapping[str, Sequence[str]]
    """(item,) the word of each side."""


class Asked(NamedTuple):
    """The questions of a part, and the contrasts that its texts cannot answer."""

    questions: list[Question]
    skipped: dict[str, str]
    """Reasons by contrast."""

    def named(self, name: str) -> Question | None:
        """The question of a contrast; None where it was skipped."""
        return next((one for one in self.questions if one.name == name), None)


def settings_of(plan: Mapping[str, Any], name: str) -> tuple[contrast.Contrast, dict[str, Any]]:
    """A contrast and the plan for it: the column of `label:column` in the place of the label."""
    kind, column = contrast.read(name)
    return kind, {**plan, "label": column or plan["label"]}


def designs(
    plan: Mapping[str, Any], part: Mapping[str, Any], corpus: Corpus, where: str
) -> Iterator[tuple[str, Design | Unusable]]:
    """The design of each contrast on a part, or why there is none. where: words for the part."""
    chosen = parts.chosen(corpus.texts, part)
    for name in plan["contrasts"]:
        kind, settings = settings_of(plan, name)
        try:
            yield name, kind.design(corpus.texts, chosen & _allowed(part, corpus), settings)
        except Unusable as problem:
            yield name, Unusable(f"{problem} (Part: {where}.)")


def ask(
    plan: Mapping[str, Any],
    name: str,
    corpora: Mapping[str, Corpus],
    only: Sequence[str] | None = None,
    seen: frozenset[str] | None = None,
) -> Asked:
    """The questions of a part of the plan.

    only: contrasts, by default all. seen: words of discovery; texts whose edit is one of these are
    left out.
    """
    part = plan["parts"][name]
    corpus = corpora[part["corpus"]]
    if seen is not None:
        part = {**part, "without": seen}
    moved: dict[tuple[str, bytes], np.ndarray] = {}
    same: dict[bytes, Words] = {}
    questions, skipped = [], {}
    for one, design in designs({**plan, "contrasts": _wanted(plan, only)}, part, corpus, name):
        if isinstance(design, Unusable):
            skipped[one] = str(design)
            continue
        _, settings = settings_of(plan, one)
        key = (design.scheme, design.cluster.tobytes())
        bases = _bases(design, corpus, corpora, settings)
        asked = discovery.question(
            one, design, bases, 0 if key in moved else plan["permutations"], plan["seed"], name
        )
        moved.setdefault(key, asked.moved)
        own, texts = None, design.item.tobytes()
        if design.kind != PAIRS and corpus.texts.is_paired:
            if texts not in same:
                same[texts] = _words(design, corpus, plan, name)
            own = same[texts]
        questions.append(asked._replace(moved=moved[key], words=own))
    return Asked(questions, skipped)


def _wanted(plan: Mapping[str, Any], only: Sequence[str] | None) -> Sequence[str]:
    return plan["contrasts"] if only is None else [n for n in plan["contrasts"] if n in only]


def _allowed(part: Mapping[str, Any], corpus: Corpus) -> np.ndarray:
    """(item,) bool: all, or those whose edit word is none of those that are to be left out."""
    without = part.get("without")
    if without is None:
        return np.ones(corpus.texts.n, bool)
    return np.array([word.casefold() not in without for word in corpus.words[EDITED]], bool)


def _bases(
    design: Design, corpus: Corpus, corpora: Mapping[str, Corpus], plan: Mapping[str, Any]
) -> Bases:
    """The bases that are projected out of a contrast; none of pairs of single tokens."""
    groups, paired = plan["nuisances"], design.kind == PAIRS
    if not paired:
        side = EDITED if corpus.texts.is_paired else TEXT
        numbers, other = corpus.numbers[side], None
    elif design.view != EDITED:
        return Bases()
    else:
        numbers = corpus.numbers[EDITED]
        other = (
            corpora[plan["control"]].numbers[EDITED] if design.control else corpus.numbers[ORIGINAL]
        )
    own, _ = nuisances.basis(design, numbers, other, groups)
    return Bases(own if groups else None)


def _words(design: Design, corpus: Corpus, plan: Mapping[str, Any], name: str) -> Words:
    """The texts of the same edit words, with their exchange."""
    code = nuisances.word_codes([corpus.words[EDITED][i] for i in design.item])
    rng = exchange.generator(plan["seed"], f"words {name}")
    return Words(code, exchange.exchanged(code, plan["permutations"], rng, between=False))


def pooled(
    questions: Sequence[Question],
    features: Mapping[str, Features],
    corpora: Mapping[str, Corpus],
    corpus: str,
    control: str | None,
    chosen: Callable[[str], np.ndarray] | None = None,
) -> dict[str, Sides]:
    """The pooled activations of each question in a cell.

    features: codes of the cell by corpus. chosen: function from the name of a contrast to the ids
    of its features; None: all.
    """
    sides = {}
    for question in questions:
        codes = dict(features)
        if chosen is not None:
            codes = {name: one.select(chosen(question.name)) for name, one in features.items()}
        other = (codes[control], corpora[control].texts) if question.design.control else None
        sides[question.name] = discovery.sides(
            codes[corpus], corpora[corpus].texts, question.design, other
        )
    return sides


SCHEMES = exchange.SCHEMES
