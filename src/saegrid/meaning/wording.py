"""Concepts of the words of texts, on both sides of an edit."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from saegrid.base.words import EDITED, ORIGINAL
from saegrid.evidence import DISCOVERY, questions
from saegrid.evidence.contrast import PAIRS
from saegrid.evidence.discovery import Question, Sides
from saegrid.evidence.questions import Corpus
from saegrid.evidence.texts import TEXT
from saegrid.meaning.vocabulary import Concept
from saegrid.text.lexicons.lexicon import Lexicon
from saegrid.text.lexicons.membership import membership, word_types

ASKED = (EDITED, ORIGINAL, TEXT)
"""Views of texts that have words: contrasts of others (single tokens) are not asked."""


class Wording(NamedTuple):
    """The concepts of the words of texts."""

    concepts: list[Concept]
    n_types: np.ndarray
    """(concept,) word types of each among all words."""
    has: Mapping[str, Mapping[str, sparse.csc_matrix]]
    """(item, concept) float32 of ones by corpus and side: EDITED and ORIGINAL, or TEXT."""


def wording(lexicons: Sequence[Lexicon], corpora: Mapping[str, Corpus], min_types: int) -> Wording:
    """The concepts of the words of corpora; those with fewer word types are left out. An edit of
    several words counts by its last one; an unpaired text has all concepts of its words."""
    places, words = [], []
    for name, corpus in corpora.items():
        for side, item, said in _said(corpus):
            places.append((name, side, item, len(words)))
            words += said
    types, number = word_types(words)
    members, member = membership(lexicons, types)
    enough = member.sum(axis=0) >= min_types
    member = np.vstack([member[:, enough], np.zeros((1, int(enough.sum())), bool)])
    has: dict[str, dict[str, sparse.csc_matrix]] = {}
    for name, side, item, start in places:
        table = sparse.csr_matrix(member[number[start : start + len(item)]], dtype=np.float32)
        shape = (corpora[name].texts.n, len(item))
        owner = sparse.csr_matrix(
            (np.ones(len(item), np.float32), (item, np.arange(len(item)))), shape
        )
        matrix = sparse.csc_matrix(owner @ table)
        matrix.data[:] = 1
        matrix.sort_indices()
        has.setdefault(name, {})[side] = matrix
    concepts = [
        Concept(one.concept, one.title, one.lexicon)
        for one, kept in zip(members, enough, strict=True)
        if kept
    ]
    return Wording(concepts, member.sum(axis=0), has)


def _said(corpus: Corpus) -> list[tuple[str, np.ndarray, list[str]]]:
    """The words of each side, with the item of each."""
    if corpus.texts.is_paired:
        every = np.arange(corpus.texts.n)
        return [(side, every, list(corpus.words[side])) for side in (EDITED, ORIGINAL)]
    texts = [text or "" for text in corpus.texts.labels["edited"]]
    pieces = [text.split() for text in texts]
    item = np.repeat(np.arange(len(texts)), [len(one) for one in pieces])
    return [(TEXT, item, [word for one in pieces for word in one])]


def contrasts(plan: Mapping[str, Any], corpora: Mapping[str, Corpus]) -> list[str]:
    """The contrasts of a plan whose views have words; others compare single tokens."""
    asked = questions.ask(plan, DISCOVERY, corpora).questions
    return [
        one.name for one in asked if one.design.view in ASKED and one.design.other in ("", *ASKED)
    ]


def sides(question: Question, corpus: str, control: str | None, of: Wording) -> Sides:
    """The concepts of the texts of a contrast."""
    design = question.design
    own = of.has[corpus]
    a = _rows(own[design.view], design.item)
    if design.kind != PAIRS:
        return Sides(a, None)
    other = of.has[control] if design.control else own
    return Sides(a, _rows(other[design.other], design.item))


def _rows(matrix: sparse.csc_matrix, item: np.ndarray) -> sparse.csc_matrix:
    rows = sparse.csc_matrix(matrix[item])
    rows.sort_indices()
    return rows
