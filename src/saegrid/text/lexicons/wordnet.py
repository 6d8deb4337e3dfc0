"""WordNet's nouns and verbs: lemmas, senses, names of the lexicographers' files, and hypernyms.

The table is `resources/lexicons/wordnet.tsv.gz`, of which README.md there explains the lines.
"""

import gzip
import re
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
NAME = "*"
"""Mark of a sense in which the word is written with a capital."""
MOST_GENERAL = "noun.Tops"
"""Lexicographer's file of the most general nouns."""
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a about above across after against all although am among an and any anybody anyone
        anything are around as at be because been before behind being below beneath beside
        between beyond both but by can cannot could did do does doing done during each either
        else every everybody everyone everything except for from had has have having he her hers
        herself him himself his how i if in inside into is it its itself may me might mine must
        my myself neither no nobody none nor not nothing of off on onto or our ours ourselves
        out outside over per shall she should since so some somebody someone something than that
        the their theirs them themselves then there these they this those though through to
        toward towards under unless until up upon us versus via vs was we were what whatever
        when where whether which while who whom whose why will with within without would you
        your yours yourself yourselves
        """,
    )
)
"""Words of grammar, which count as no noun or verb: `in` is no indium, `he` no helium, `does` no
doe."""


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
        order, in each case words with a sense other than a name before names (`tigers`: tiger,
        though there are Tigers). A word among the exceptions whose lemmas are no such words (`his`)
        has no other lemma than itself; nouns in -ss and of two letters have no endings to be taken
        off. Words of grammar (`FUNCTION_WORDS`) have none.
        """
        key = word, pos
        if key not in self._bases:
            candidates = [lemma for lemma in self._candidates(last_word(word), pos) if lemma]
            common = (lemma for lemma in candidates if not self._is_name(lemma, pos))
            self._bases[key] = next(common, candidates[0] if candidates else None)
        return self._bases[key]

    def _candidates(self, word: str, pos: str) -> list[str]:
        """The lemmas that a word may have, the first ones first."""
        if word in FUNCTION_WORDS:
            return []
        known, exceptions = self._senses[pos], self._exceptions[pos].get(word)
        own = [word] if word in known else []
        if exceptions is not None:
            return [lemma for lemma in exceptions.split() if lemma in known] or own
        stem, tail = (word[:-3], "ful") if pos == NOUN and word.endswith("ful") else (word, "")
        if pos == NOUN and (stem.endswith("ss") or len(stem) <= 2):
            return own
        lemmas = (
            stem.removesuffix(ending) + instead + tail
            for ending, instead in SUFFIXES[pos]
            if stem.endswith(ending)
        )
        return own + [lemma for lemma in lemmas if lemma in known]

    def _is_name(self, lemma: str, pos: str) -> bool:
        """Return True if a lemma is written with a capital in all of its senses."""
        senses = self._senses[pos][lemma]
        return NAME in senses and senses.count(NAME) == senses.count(" ") + 1

    def part(self, word: str) -> str | None:
        """The part of speech by which a word counts: noun, or verb for words that are no noun or
        nothing but a name beside a form of a verb (`ate`, of eat and of a goddess); else None."""
        noun, verb = self.base(word, NOUN), self.base(word, VERB)
        if noun is None or (self._is_name(noun, NOUN) and verb not in (None, last_word(word))):
            return None if verb is None else VERB
        return NOUN

    def lemma(self, word: str) -> str:
        """The word type of a word, of several words that of the last.

        It is the lemma as a noun, that as a verb where the word counts as one (`part`), or where
        it is a noun in this form and the verb's lemma is shorter (`dancing`: dance, but `runes`:
        rune), and else the word itself, as words are compared. Types put together what a reader
        takes for one word; a few are too wide (`glasses`: glass, `pants`: pant), so that
        `lexnames` goes by words.
        """
        last = last_word(word)
        noun, verb = self.base(last, NOUN), self.base(last, VERB)
        if verb and (self.part(last) == VERB or (noun == last and len(verb) < len(noun))):
            return verb
        return noun or last

    def senses(self, word: str, pos: str) -> tuple[int, ...]:
        """The synsets of a word as noun or as verb, the commonest sense first and names last; none
        where it is no such word.

        WordNet lists senses that it has never counted in no order of use, names first:
        a burger is Warren Burger, a bikini an atoll. Names come last here for that reason.
        """
        lemma = self.base(word, pos)
        return () if lemma is None else _numbers(self._senses[pos][lemma])

    def lexname(self, synset: int) -> str:
        """The name of the lexicographer's file of a synset, such as noun.animal."""
        return self.names[self._files[synset]]

    def lexnames(self, word: str, rule: str) -> tuple[str, ...]:
        """The names of the lexicographers' files of a word's senses, each once, in their order.

        Senses are those of the noun; those of the verb for words that count as one (`part`). The
        rule says how many: the first, the first two, or all.

        Raises:
            LexiconError: there is no such rule.
        """
        number, part = check_rule(rule), self.part(word)
        senses = self.senses(word, part)[:number] if part else ()
        return tuple(dict.fromkeys(map(self.lexname, senses)))

    def known(self, word: str) -> bool:
        """Return True if the word is a noun or a verb."""
        return self.part(word) is not None

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

    def lemmas(self, pos: str) -> dict[str, tuple[int, ...]]:
        """All nouns or all verbs in order of the alphabet, words of grammar left out, with their
        senses as `senses` has them."""
        own = self._senses[pos].items()
        return {lemma: _numbers(senses) for lemma, senses in own if lemma not in FUNCTION_WORDS}


def _numbers(senses: str) -> tuple[int, ...]:
    """The synsets in a field of the table, names last."""
    if NAME not in senses:
        return tuple(map(int, senses.split()))
    fields = sorted(senses.split(), key=lambda sense: sense.endswith(NAME))
    return tuple(int(sense.removesuffix(NAME)) for sense in fields)


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
