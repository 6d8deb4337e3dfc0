"""Word types, and the concepts of some lexicons that they belong to."""

from collections import Counter
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
AS_NOUN, AS_VERB = "noun ", "verb "
"""Marks of lemmas, with a blank, which no word holds."""
NO_ENDS = frozenset(
    {"ally", "away", "back", "down", "hood", "like", "ling", "long", "ming", "most", "over", "ping"}
    | {"ship", "some", "ting", "ward", "wise"}
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

    A type belongs to a concept of a list if its lemma or one of its words is listed, or is an
    inflection of a listed word (`listed_forms`). A type that belongs to no concept of the list in
    this way belongs to those of the words at the end of its words, if these are compounds
    (`end_of_compound`) and WordNet does not speak against it (`akin`).

    To WordNet's names a type belongs by the senses of its words (`WordNet.lexnames`); the lemma
    decides nothing there, so that `pants` is no panting. A word that WordNet knows has its own
    senses there and never those of its end; others have those of their end, if they are compounds.
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
        concepts_of = (_by_senses if lexicon.senses else _by_lists)(lexicon, wordnet, end_of)
        for row, word_type in enumerate(types):
            matrix[row, [start + number for number in concepts_of(word_type)]] = True
        start += len(lexicon.concepts)
    return members, matrix


Find = Callable[[WordType], set[int]]
"""The numbers of the concepts of a type, within a lexicon."""


def _by_senses(lexicon: Lexicon, wordnet: WordNet, end_of: Callable[[str], str | None]) -> Find:
    """The concepts of a type by WordNet's senses."""
    numbers = {concept.name: number for number, concept in enumerate(lexicon.concepts)}

    def of_word(word: str) -> set[int]:
        end = None if wordnet.known(word) else end_of(word)
        return {numbers[name] for name in wordnet.lexnames(end or word, lexicon.senses)}

    return lambda own: set().union(*map(of_word, own.words or (own.lemma,)))


def _by_lists(lexicon: Lexicon, wordnet: WordNet, end_of: Callable[[str], str | None]) -> Find:
    """The concepts of a type by lists of words."""
    by_form: dict[str, set[int]] = {}
    for number, concept in enumerate(lexicon.concepts):
        for word in concept.words:
            for form in (word, *listed_forms(word, wordnet)):
                by_form.setdefault(form, set()).add(number)
    usual = [usual_file(concept.words, wordnet) for concept in lexicon.concepts]

    def of_word(word: str) -> set[int]:
        return set().union(*(by_form.get(form, ()) for form in (word, *forms(word, wordnet))))

    def of_compound(word: str) -> set[int]:
        end = end_of(word)
        if end is None:
            return set()
        numbers = by_form.get(end, set()) | by_form.get(AS_NOUN + end, set())
        return {number for number in numbers if akin(word, end, usual[number], wordnet)}

    def of_type(own: WordType) -> set[int]:
        listed = set().union(*map(of_word, (*own.words, own.lemma)))
        return listed or set().union(*map(of_compound, own.words))

    return of_type


def forms(word: str, wordnet: WordNet) -> list[str]:
    """The lemmas of a word as a noun and as a verb, marked as such."""
    bases = (AS_NOUN, wordnet.base(word, NOUN)), (AS_VERB, wordnet.base(word, VERB))
    return [mark + base for mark, base in bases if base]


def listed_forms(word: str, wordnet: WordNet) -> list[str]:
    """The lemmas, marked, whose inflections belong to a concept with a listed word.

    It is that of the noun, and that of the verb where the word counts as a verb or is its lemma. So
    `cats` brings cat, `sings` sing and `dance` danced; but `bowling` brings no bowl, `stocking` no
    stock and `pants` no panting.
    """
    verb = wordnet.base(word, VERB)
    is_verb = verb == word or wordnet.part(word) == VERB
    return [form for form in forms(word, wordnet) if is_verb or form.startswith(AS_NOUN)]


def end_of_compound(word: str, wordnet: WordNet) -> str | None:
    """The noun that a word is a compound of, by its end (cup-cake: cake), None where it is none.

    The end is a noun whose lemma, which is returned, has at least 4 letters. The front, up to a
    hyphen where there is one, has at least 3 and is a lemma itself. So `hamster` is no ham, `toad`
    no ad, `carpet` no pet, `season` no son, `legend` no end. Of several such ends the longest is
    meant (`timeshare`: share, no hare). Ends that are particles or suffixes are none (`NO_ENDS`),
    nor are forms of a verb compounds (`beginning`: no inning).
    """
    if wordnet.base(word, VERB) not in (None, word):
        return None
    for cut in range(SHORTEST_FRONT, len(word) - SHORTEST_END + 1):
        front, end = word[:cut].removesuffix("-").rpartition("-")[2], word[cut:]
        noun = None if end.startswith("-") or end in NO_ENDS else wordnet.base(end, NOUN)
        if (
            noun is not None
            and len(noun) >= SHORTEST_END
            and noun not in NO_ENDS
            and len(front) >= SHORTEST_FRONT
            and front in (wordnet.base(front, NOUN), wordnet.base(front, VERB))
        ):
            return noun
    return None


def akin(word: str, end: str, usual: str | None, wordnet: WordNet) -> bool:
    """Return True if a word may share the concept of its end, for all that WordNet knows of it.

    A word that WordNet does not know may. One that it knows must have a sense of the kind that the
    end has first, or that the end has too and words of the concept have usually; kinds are
    lexicographers' files. So `cockroach` is an animal as `roach` is, and `pancake` a food, though a
    cake is soap first; but `mushroom` is no room, `nightmare` no mare, `sawhorse` no horse,
    `egghead` no head. Where both have one kind by chance (`guidance`: dance, `horseshoe`: shoe),
    and where WordNet does not know the word, a false friend remains.
    """
    own, ends = _files(word, wordnet), _files(end, wordnet)
    return not own or ends[0] in own or (usual in own and usual in ends)


def usual_file(words: Sequence[str], wordnet: WordNet) -> str | None:
    """The lexicographer's file of the first senses of most of some words; None where WordNet knows
    none of them."""
    first = Counter(file for word in words for file in _files(word, wordnet)[:1])
    return max(first, key=first.__getitem__, default=None)


def _files(word: str, wordnet: WordNet) -> list[str]:
    """The lexicographers' files of the senses of a word, in their order."""
    part = wordnet.part(word)
    return [wordnet.lexname(synset) for synset in wordnet.senses(word, part)] if part else []
