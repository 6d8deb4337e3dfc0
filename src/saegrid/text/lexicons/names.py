"""WordNet's nouns and verbs by the names of its lexicographers' files, such as noun.animal."""

from pathlib import Path

from saegrid.text.lexicons.lexicon import Concept, Kind, Lexicon
from saegrid.text.lexicons.wordnet import MOST_GENERAL, NOUN, TABLE, VERB, check_rule, read_wordnet

TITLES = {MOST_GENERAL: "most general things (noun)"}
"""Plain words for a name that is none."""


def read(path: Path, senses: str) -> Lexicon:
    """The lexicon of WordNet's table, under a rule of senses.

    The words of a noun.* are the nouns with such a sense among those that count; the words of a
    verb.* are such verbs that are no nouns. (Of other verbs those forms belong to it that are no
    nouns: of `kiss`, which is a noun.act, `kissed` is a verb.contact.)
    """
    number = check_rule(senses)
    wordnet = read_wordnet(path)
    words: dict[str, dict[str, None]] = {name: {} for name in wordnet.names}
    for pos in (NOUN, VERB):
        for word, synsets in wordnet.lemmas(pos).items():
            if pos == NOUN or wordnet.part(word) == VERB:
                for synset in synsets[:number]:
                    words[wordnet.lexname(synset)][word] = None
    return Lexicon(
        "wordnet",
        "WordNet 3.0, Copyright 2006 by Princeton University, under the WordNet 3.0 licence "
        "(resources/lexicons/WORDNET-LICENSE).",
        tuple(Concept(name, title(name), tuple(own)) for name, own in words.items()),
        senses,
    )


def title(name: str) -> str:
    """The name of a lexicographer's file in plain words: food (noun)."""
    pos, _, rest = name.partition(".")
    return TITLES.get(name, f"{rest} ({pos})")


def in_words(concept: str) -> str:
    """The title of a concept of WordNet; the name of any other one, which is plain already."""
    return title(concept) if concept.startswith((f"{NOUN}.", f"{VERB}.")) else concept


LEXICON = Kind(TABLE, read, fixed=True)
