"""Membership of word types in the concepts of some lexicons."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from saegrid.text.frequency import last_word
from saegrid.text.lexicons.lexicon import Lexicon
from saegrid.text.lexicons.wordnet import NOUN, VERB, WordNet, read_wordnet

SHORTEST_END = 4
"""Letters of a listed word at the end of a compound, at least."""
SHORTEST_FRONT = 3
"""Letters of the word in front of it, at least."""
NO_ENDS = frozenset(
    [
        "ally",
        "away",
        "back",
        "down",
        "hood",
        "like",
        "ling",
        "long",
        "ming",
        "most",
        "over",
        "ping",
        "ship",
        "some",
        "ting",
        "ward",
        "wise",
    ]
)
"""Particles, suffixes and ends of forms in -ing that are nouns by chance."""


class WordType(NamedTuple):
    """Words that count as one."""

    lemma: str
    words: tuple[str, ...]
    """Its different words in a corpus, as words are compared, in order of the alphabet."""


class Member(NamedTuple):
    """A concept among those of all lexicons."""

    lexicon: str
    concept: str
    title: str


def word_types(words: Sequence[str]) -> tuple[list[WordType], np.ndarray]:
    """The types of some words in order of their lemmas, and the number of each word's type.

    Of several words (an edit such as `big dog`) the last one counts. A word without a letter or
    digit belongs to no type: its number is -1.
    """
    wordnet = read_wordnet()
    lasts = [last_word(word) for word in words]
    lemma_of = {last: wordnet.lemma(last) for last in dict.fromkeys(lasts) if last}
    own: dict[str, list[str]] = {lemma: [] for lemma in sorted(set(lemma_of.values()))}
    for last in sorted(lemma_of):
        own[lemma_of[last]].append(last)
    number = {lemma: i for i, lemma in enumerate(own)}
    numbers = np.array([number[lemma_of[last]] if last else -1 for last in lasts], dtype=np.int64)
    return [WordType(lemma, tuple(listed)) for lemma, listed in own.items()], numbers


def membership(
    lexicons: Sequence[Lexicon], types: Sequence[WordType]
) -> tuple[list[Member], np.ndarray]:
    """The concepts of all lexicons in their order, and (type, concept) bool: True for members.

    A type belongs to a concept of a list if its lemma or one of its words is listed, or has one
    lemma with a listed word, so that inflections belong to it. To WordNet's names it belongs by the
    senses of its words (`WordNet.lexnames`); the lemma decides nothing there, so that `pants` is no
    panting. A type that belongs to no concept of a lexicon in this way belongs to those that its
    words have as compounds (`end_of_compound`). So a word that WordNet knows has its own senses
    there and never those of its end.
    """
    wordnet = read_wordnet()
    members = [
        Member(lexicon.name, concept.name, concept.title)
        for lexicon in lexicons
        for concept in lexicon.concepts
    ]
    matrix = np.zeros((len(types), len(members)), dtype=bool)
    start, end_of = 0, cache(partial(end_of_compound, wordnet=wordnet))
    for lexicon in lexicons:
        concepts_of = _concepts_of(lexicon, wordnet, end_of)
        for row, word_type in enumerate(types):
            matrix[row, [start + number for number in concepts_of(word_type)]] = True
        start += len(lexicon.concepts)
    return members, matrix


def _concepts_of(
    lexicon: Lexicon, wordnet: WordNet, end_of: Callable[[str], str | None]
) -> Callable[[WordType], list[int]]:
    """The numbers of the concepts of a type, within its lexicon."""
    by_form: dict[str, set[int]] = {}
    by_noun: dict[str, set[int]] = {}
    for number, concept in enumerate(lexicon.concepts):
        for word in concept.words:
            by_form.setdefault(word, set()).add(number)
            if not lexicon.senses:  # the words of a lexicon with senses are lemmas
                by_form.setdefault(wordnet.lemma(word), set()).add(number)
            by_noun.setdefault(wordnet.base(word, NOUN) or word, set()).add(number)

    def of_word(word: str) -> set[int]:
        if lexicon.senses:
            return by_form.get(wordnet.base(word, NOUN) or wordnet.base(word, VERB) or word, set())
        return by_form.get(word, set()) | by_form.get(wordnet.lemma(word), set())

    def of_end(word: str) -> set[int]:
        return by_noun.get(end_of(word) or "", set())

    def of_type(word_type: WordType) -> list[int]:
        words = word_type.words
        if not (lexicon.senses and words):
            words = (*words, word_type.lemma)
        own = set().union(*map(of_word, words))
        return sorted(own or set().union(*map(of_end, words)))

    return of_type


def end_of_compound(word: str, wordnet: WordNet) -> str | None:
    """The noun that a word is a compound of, by its end (cup-cake: cake), None where it is none.

    The end is a noun whose lemma, which is returned, has at least 4 letters. The front, up to a
    hyphen where there is one, has at least 3 and is a lemma itself. So `hamster` is no ham, `toad`
    no ad, `carpet` no pet, `season` no son, `legend` no end. Of several such ends the longest is
    meant (`timeshare`: share, no hare). Ends that are particles or suffixes are none (`NO_ENDS`),
    nor are forms of a verb compounds (`beginning`: no inning).

    Of a word that WordNet knows, a sense must stand in the lexicographer's file of the first sense
    of the end: `pancake` is a cake and `cockroach` a roach, but `mushroom` (food, plant) is no
    room and `nightmare` (state, cognition) no mare. Where both stand in one file by chance
    (`guidance`: dance), and where WordNet does not know the word, a false friend remains.
    """
    if wordnet.base(word, VERB) not in (None, word):
        return None
    files = _files(word, wordnet)
    for cut in range(SHORTEST_FRONT, len(word) - SHORTEST_END + 1):
        front, end = word[:cut].removesuffix("-").rpartition("-")[2], word[cut:]
        noun = None if end.startswith("-") or end in NO_ENDS else wordnet.base(end, NOUN)
        if (
            noun is not None
            and len(noun) >= SHORTEST_END
            and noun not in NO_ENDS
            and len(front) >= SHORTEST_FRONT
            and front in (wordnet.base(front, NOUN), wordnet.base(front, VERB))
            and (not files or files & _files(noun, wordnet, 1))
        ):
            return noun
    return None


def _files(word: str, wordnet: WordNet, number: int | None = None) -> set[str]:
    """The names of the lexicographers' files of a word's senses or its first ones: those of the
    noun, and of the verb for words that are no noun."""
    senses = wordnet.senses(word, NOUN) or wordnet.senses(word, VERB)
    return set(map(wordnet.lexname, senses[:number]))
