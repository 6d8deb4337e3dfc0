"""WordNet's nouns and verbs: lemmas, senses, names of the lexicographers' files, and hypernyms.

The table is `resources/lexicons/wordnet.tsv.gz`, of which README.md there explains the lines.
"""

import gzip
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from saegrid.text.frequency import last_word
from saegrid.text.lexicons.lexicon import LexiconError, place

TABLE = "resources/lexicons/wordnet.tsv.gz"
NOUN, VERB = "noun", "verb"
RULES: dict[str, int | None] = {"first": 1, "two": 2, "all": None}
"""Numbers of the senses that count, by the name of the rule, the commonest senses first."""
SUFFIXES: dict[str, tuple[tuple[str, str], ...]] = {
    NOUN: (
        ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
        ("men", "man"), ("ies", "y"),
    ),
    VERB: (
        ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"),
        ("ing", ""),
    ),
}  # fmt: skip
"""Endings and what stands in their place in a lemma, in the order in which they are tried."""
MOST_GENERAL = "noun.Tops"
"""Lexicographer's file of the most general nouns."""


class WordNet:
    """Nouns and verbs of one word. Arguments `word` may be inflected, with capitals and marks."""

    def __init__(self, lines: Iterable[str]) -> None:
        """The words in the lines of a table."""
        self.names: list[str] = []
        """Names of the lexicographers' files."""
        self._synsets: list[tuple[str, str]] = []
        self._words: dict[str, dict[str, str]] = {"n": {}, "v": {}, "p": {}, "i": {}}
        words, synsets = self._words, self._synsets
        for line in lines:
            kind, _, rest = line.partition("\t")
            first, _, numbers = rest.partition("\t")
            if kind in words:
                words[kind][first] = numbers
            elif kind == "s":
                synsets.append((first, numbers))
            elif kind == "l":
                self.names.append(first)
        self._senses = {NOUN: words["n"], VERB: words["v"]}
        self._exceptions = {NOUN: words["p"], VERB: words["i"]}
        self._bases: dict[tuple[str, str], str | None] = {}
        self._files = self._lexicographers()

    def _lexicographers(self) -> list[int]:
        """The number of each synset's file. The synset on top of another file, such as that of the
        noun food, stands in noun.Tops; it counts for the file that has its name."""
        files = [int(first) for first, _ in self._synsets]
        tops = self.names.index(MOST_GENERAL)
        for number, name in enumerate(self.names):
            pos, _, title = name.partition(".")
            for synset in self.senses(title, pos) if pos == NOUN else ():
                if files[synset] == tops:
                    files[synset] = number
        return files

    def base(self, word: str, pos: str) -> str | None:
        """The lemma of a word as noun or as verb, None where it is none.

        Exceptions come first, then the word itself, then WordNet's endings (`morphy`) in their
        order. A word among the exceptions whose lemmas are no such words (`his`) has no other
        lemma than itself; nouns in -ss and of two letters have no endings to be taken off.
        """
        key = word, pos
        if key not in self._bases:
            self._bases[key] = self._base(last_word(word), pos)
        return self._bases[key]

    def _base(self, word: str, pos: str) -> str | None:
        known = self._senses[pos]
        exceptions = self._exceptions[pos].get(word)
        if exceptions is not None:
            listed = next((lemma for lemma in exceptions.split() if lemma in known), None)
            return listed or (word if word in known else None)
        if word in known:
            return word
        stem, tail = (word[:-3], "ful") if pos == NOUN and word.endswith("ful") else (word, "")
        if pos == NOUN and (stem.endswith("ss") or len(stem) <= 2):
            return None
        for ending, instead in SUFFIXES[pos]:
            lemma = stem.removesuffix(ending) + instead + tail
            if stem.endswith(ending) and lemma in known:
                return lemma
        return None

    def lemma(self, word: str) -> str:
        """The word type of a word, of several words that of the last.

        It is the lemma as a noun, that as a verb where the word is no noun or where that lemma is
        shorter (`dancing`: dance), and else the word itself, as words are compared. Types put
        together what a reader takes for one word; a few are too wide (`glasses`: glass, `pants`:
        pant), so that `lexnames` goes by words.
        """
        noun, verb = self.base(word, NOUN), self.base(word, VERB)
        if noun is None or (verb is not None and len(verb) < len(noun)):
            return verb or noun or last_word(word)
        return noun

    def senses(self, word: str, pos: str) -> tuple[int, ...]:
        """The synsets of a word as noun or as verb, the commonest sense first; none where it is
        no such word."""
        lemma = self.base(word, pos)
        return () if lemma is None else tuple(map(int, self._senses[pos][lemma].split()))

    def lexname(self, synset: int) -> str:
        """The name of the lexicographer's file of a synset, such as noun.animal."""
        return self.names[self._files[synset]]

    def lexnames(self, word: str, rule: str) -> tuple[str, ...]:
        """The names of the lexicographers' files of a word's senses, each once, in their order.

        Senses are those of the noun; those of the verb for words that are no noun. The rule says
        how many: the first, the first two, or all.

        Raises:
            LexiconError: there is no such rule.
        """
        number = check_rule(rule)
        senses = self.senses(word, NOUN) or self.senses(word, VERB)
        return tuple(dict.fromkeys(map(self.lexname, senses[:number])))

    def known(self, word: str) -> bool:
        """Return True if the word is a noun or a verb."""
        return self.base(word, NOUN) is not None or self.base(word, VERB) is not None

    def parents(self, synset: int) -> tuple[int, ...]:
        """The synsets right above one: its hypernyms, and the classes of an instance."""
        return tuple(map(int, self._synsets[synset][1].split()))

    def ancestors(self, synset: int) -> tuple[int, ...]:
        """All synsets above one, each once, the nearest first."""
        reached: dict[int, None] = {}
        new = self.parents(synset)
        while new:
            reached.update(dict.fromkeys(new))
            above = [parent for number in new for parent in self.parents(number)]
            new = tuple(number for number in dict.fromkeys(above) if number not in reached)
        return tuple(reached)

    def lemmas(self, pos: str) -> tuple[str, ...]:
        """All nouns or all verbs, in order of the alphabet."""
        return tuple(self._senses[pos])


def check_rule(rule: str) -> int | None:
    """The number of senses that count under a rule, None for all.

    Raises:
        LexiconError: there is no such rule.
    """
    if rule not in RULES:
        raise LexiconError(f"The rule of senses must be one of {', '.join(RULES)}; got {rule!r}.")
    return RULES[rule]


def read_wordnet(path: str | Path = TABLE) -> WordNet:
    """The words of a table, which is read once in a process.

    Raises:
        LexiconError: the file is not there or no such table.
    """
    return _read(place(path).resolve())


@lru_cache(maxsize=2)
def _read(path: Path) -> WordNet:
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
        return WordNet(text.splitlines())
    except FileNotFoundError:
        problem = "it is not there"
    except (OSError, EOFError, ValueError, IndexError):
        problem = "it cannot be read"
    raise LexiconError(
        f"{path}: this should be WordNet's table, but {problem}. Check it out of the repository "
        "again, or make it anew with resources/lexicons/rebuild.py."
    )
