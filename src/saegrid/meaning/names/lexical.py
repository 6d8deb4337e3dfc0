"""A namer without a model: concept or form of a feature, else its commonest words.

A name is judged by itself, so that a name of another feature is judged by the same rule: the words
of a list of that name, the first or last letters of a word, or the words that it enumerates.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from saegrid.meaning.names.namer import Answer, Calls, Case, Context, Subject
from saegrid.meaning.names.words import stem, types
from saegrid.text.wordlists import normal

WORDS = 8
"""Words of a name that has no better."""
LETTER, ENDING, PIECE = "words that begin with ", "words that end in -", "words that contain "
FORMS = re.compile(f"({LETTER}|{ENDING}|{PIECE})(.+)")
TESTS = {LETTER: str.startswith, ENDING: str.endswith, PIECE: str.__contains__}


class Lexical:
    """The namer; lists: stems by concept."""

    batch = 1

    def __init__(self, lists: Mapping[str, frozenset[str]]) -> None:
        self.lists = lists

    def name(self, subjects: Sequence[Subject]) -> list[Answer]:
        """The name of each feature."""
        return [self._name(subject) for subject in subjects]

    def known(self, subject: Subject) -> str | None:
        """The name of a feature."""
        return self._name(subject).value

    def calls(self, subjects: Iterable[Subject], cases: Iterable[Case]) -> Calls:
        """No calls."""
        return Calls()

    def judge(self, cases: Sequence[Case]) -> list[list[Answer]]:
        """True where a marked word is one of those that the name stands for."""
        return [[self._shows(case.name, context) for context in case.contexts] for case in cases]

    def _name(self, subject: Subject) -> Answer:
        name = of_concept(subject.concept) or commonest(subject.contexts)
        return Answer(name) if name else Answer(None, "no shown context has a word with a letter")

    def _shows(self, name: str, context: Context) -> Answer:
        form = FORMS.fullmatch(name)
        if form:
            words = map(normal, context.marked.split())
            return Answer(any(TESTS[form[1]](word, form[2]) for word in words))
        listed = self.lists.get(name)
        if listed is None and "," not in name and "." in name:
            return Answer(None, f"no list has the words of {name}")
        words = listed or {stem(word) for word in name.split(", ")}
        return Answer(not words.isdisjoint(types(context.marked)))


def of_concept(row: Mapping[str, Any] | None) -> str | None:
    """Concept or form of a feature by its row of concepts.parquet; None where it has neither."""
    if row is None:
        return None
    kind = row["kind"]
    if kind == "meaning":
        return row["concept"]
    heads = {"letter": LETTER, "ending": ENDING, "token": PIECE}
    form = normal(row[kind] or "") if kind in heads else ""
    return heads[kind] + form if form else None


def commonest(contexts: Sequence[Context], n: int = WORDS) -> str | None:
    """The commonest marked words, at most n, the earlier of equal ones first: `hair, wig`.

    Words of one stem are one, spelled as the first of them.
    """
    counts: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for context in contexts:
        for word in dict.fromkeys(filter(None, map(normal, context.marked.split()))):
            counts[stem(word)] += 1
            spelled.setdefault(stem(word), word.replace(",", ""))
    order = {word: place for place, word in enumerate(spelled)}
    best = sorted(counts, key=lambda word: (-counts[word], order[word]))[:n]
    return ", ".join(spelled[word] for word in best) or None
