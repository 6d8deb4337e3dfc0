"""The word types of a corpus, the concepts that they belong to, and their places in a word space.

All cells of a study share it, and so do the permutations under which chance is counted.
"""

from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.evidence.nuisances import word_of
from saegrid.features.density import counted
from saegrid.meaning.occurrences import Occurrences, occurrences
from saegrid.meaning.spaces import NO_SPACE, SPACES
from saegrid.text.lexicons.lexicon import Lexicon
from saegrid.text.lexicons.membership import WordType, membership, word_types

FIRST_SENSES = "wordnet"
"""The lexicon whose concepts cut words into categories."""


class Concept(NamedTuple):
    """A concept of a lexicon."""

    name: str
    title: str
    lexicon: str


class Vocabulary(NamedTuple):
    """The word types of the occurrences of a corpus."""

    type: np.ndarray
    """(occurrence,) int32 word types."""
    names: Sequence[str]
    """(type,) the lemma of each."""
    concepts: Sequence[Concept]
    member: np.ndarray
    """(type, concept) bool."""
    category: np.ndarray
    """(type,) int32: the first concept of `FIRST_SENSES`, else of any lexicon, -1 of none. These
    cut the types into parts, over which entropies are taken."""
    vectors: np.ndarray | None
    """(type, dimension) float32 of length one, or 0 of a type that the word space lacks; None
    without a word space."""

    @property
    def n(self) -> int:
        """Number of word types."""
        return len(self.names)

    def with_a_concept(self) -> "Vocabulary":
        """The vocabulary; one whose words no lexicon knows has a nameless concept without words."""
        if self.concepts:
            return self
        return self._replace(concepts=[Concept("", "", "")], member=np.zeros((self.n, 1), bool))


def occurrences_of(
    tokens: pa.Table, items: pa.Table, kept: np.ndarray, layout: str = "headline"
) -> Occurrences:
    """The occurrences of a corpus, of kept items: edits, or words of plain text, whether they were
    captured or not."""
    masked = counted(tokens, kept, np.arange(tokens.num_rows), layout).masked
    edits = None
    if np.asarray(tokens["in_edit"].to_numpy(zero_copy_only=False), bool).any():
        edits = [word_of(edit) or (edit or "").strip() for edit in items["edit"].to_pylist()]
    return occurrences(tokens, masked, edits)


def vocabulary(
    of: Occurrences, lexicons: Sequence[Lexicon], min_types: int, space: str
) -> tuple[Vocabulary, list[WordType]]:
    """The vocabulary of some occurrences, and its word types.

    min_types: word types that a concept must have among these; smaller ones are left out. space: a
    name of `SPACES`, or `NO_SPACE`.
    """
    types, number = _types(of.word)
    members, member = membership(lexicons, types)
    enough = member.sum(axis=0) >= min_types
    concepts = [
        Concept(one.concept, one.title, one.lexicon)
        for one, kept in zip(members, enough, strict=True)
        if kept
    ]
    vectors = None if space == NO_SPACE else resolve_name(SPACES[space]).vectors(types)
    return Vocabulary(
        number.astype(np.int32),
        [one.lemma for one in types],
        concepts,
        member[:, enough],
        _categories(member[:, enough], concepts),
        vectors,
    ), types


def _types(words: Sequence[str]) -> tuple[list[WordType], np.ndarray]:
    """Word types of all words; marks, which have no lemma, come last, each its own type."""
    types, number = word_types(words)
    marks = sorted({word.strip() for word, at in zip(words, number, strict=True) if at < 0})
    place = {mark: len(types) + at for at, mark in enumerate(marks)}
    number = [place[word.strip()] if at < 0 else at for word, at in zip(words, number, strict=True)]
    return [*types, *(WordType(mark, ()) for mark in marks)], np.array(number, np.int64)


def _categories(member: np.ndarray, concepts: Sequence[Concept]) -> np.ndarray:
    first = np.array([concept.lexicon == FIRST_SENSES for concept in concepts], bool)
    if not first.any():
        first = np.ones(len(concepts), bool)
    columns = np.flatnonzero(first)
    inside = member[:, columns]
    if not len(columns):
        return np.full(len(member), -1, np.int32)
    return np.where(inside.any(axis=1), columns[inside.argmax(axis=1)], -1).astype(np.int32)


WORDS = pa.schema(
    [
        ("item", pa.int32()),
        ("word", pa.string()),
        ("type", pa.int32()),
        ("start", pa.bool_()),
        ("stop", pa.bool_()),
    ]
)
"""Columns of occurrences.parquet, one row an occurrence: item, word, number of its word type,
start and stop, True of the first and of the last word of a text."""
TYPES = pa.schema(
    [
        ("type", pa.string()),
        ("words", pa.string()),
        ("n", pa.int32()),
        ("concepts", pa.list_(pa.string())),
    ]
)
"""Columns of vocabulary.parquet, one row a word type: its lemma, its words, occurrences and
concepts."""


def to_files(
    of: Occurrences, words: Vocabulary, types: Sequence[WordType], lexicons: Sequence[Lexicon]
) -> tuple[pa.Table, pa.Table, dict[str, np.ndarray], dict[str, Any]]:
    """The occurrences, the word types, the tensors and the facts of a vocabulary."""
    rows = pa.table(
        {
            "item": of.item,
            "word": list(of.word),
            "type": words.type,
            "start": of.start,
            "stop": of.stop,
        },
        schema=WORDS,
    )
    names = [concept.name for concept in words.concepts]
    listed = pa.table(
        {
            "type": list(words.names),
            "words": [", ".join(one.words) for one in types],
            "n": np.bincount(words.type, minlength=words.n).astype(np.int32),
            "concepts": [[names[at] for at in np.flatnonzero(row)] for row in words.member],
        },
        schema=TYPES,
    )
    tensors = {
        "token": of.token,
        "member": words.member.astype(np.uint8),
        "category": words.category,
    }
    if words.vectors is not None:
        tensors["vectors"] = words.vectors
    facts = {
        "n_occurrences": of.n,
        "n_types": words.n,
        "share_with_a_concept": float(words.member.any(axis=1).mean()) if words.n else None,
        "concepts": [
            {**concept._asdict(), "n_types": int(n)}
            for concept, n in zip(words.concepts, words.member.sum(axis=0), strict=True)
        ],
        "lexicons": [{"name": one.name, "notice": one.notice} for one in lexicons],
    }
    return rows, listed, tensors, facts


def from_files(
    rows: pa.Table, listed: pa.Table, tensors: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> tuple[Occurrences, Vocabulary]:
    """The occurrences and the vocabulary in files of `to_files`."""
    of = Occurrences(
        tensors["token"],
        rows["item"].to_numpy(),
        rows["word"].to_pylist(),
        np.asarray(rows["start"].to_pylist(), bool),
        np.asarray(rows["stop"].to_pylist(), bool),
    )
    keys = Concept._fields
    concepts = [Concept(*(one[key] for key in keys)) for one in facts["concepts"]]
    return of, Vocabulary(
        rows["type"].to_numpy(),
        listed["type"].to_pylist(),
        concepts,
        tensors["member"].astype(bool),
        tensors["category"],
        tensors.get("vectors"),
    )
