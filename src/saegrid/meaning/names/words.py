"""Words as names compare them, and lists of words by topic."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import pyarrow as pa

from saegrid.text.wordlists import normal

PARTS = re.compile(r"[\s\-–—/]+")


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A word without its commonest English endings, as it is compared: hairs and hair are one.

    Endings go in this order: -s but not -ss, -us, -is; -ed and -ing where three letters with a
    vowel are left, and with them a doubled last letter; -e of more than three letters. A last y
    becomes i. It joins some words that are not one: news and new, hope and hop.
    """
    word = normal(word)
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= 3 and any(letter in "aeiouy" for letter in rest):
            is_double = len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsz"
            word = rest[:-1] if is_double else rest
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    return word[:-1] + "i" if len(word) > 2 and word[-1] == "y" else word


def types(text: str) -> list[str]:
    """The stems of the words of a text, and of the parts of words with a hyphen."""
    words = [word for word in text.split() if normal(word)]
    parts = [part for word in words for part in PARTS.split(word) if normal(part)]
    return list(dict.fromkeys(stem(word) for word in [*words, *parts]))


def stems(words: Iterable[str]) -> frozenset[str]:
    """The stems of a list of words."""
    return frozenset(stem(word) for word in words)


def word_lists(types: pa.Table) -> dict[str, frozenset[str]]:
    """Stems of the words of a corpus by the concepts that they belong to. types:
    vocabulary.parquet."""
    lists: dict[str, set[str]] = {}
    for row in types.select(["type", "words", "concepts"]).to_pylist():
        own = stems([row["type"], *row["words"].split(", ")])
        for concept in row["concepts"]:
            lists.setdefault(concept, set()).update(own - {""})
    return {concept: frozenset(words) for concept, words in lists.items()}


def topic_of(words: Iterable[str], lists: Mapping[str, frozenset[str]]) -> str | None:
    """The list that holds most of some different stems, two at least; the first of equal ones."""
    unique = set(words)
    counts = {topic: len(unique & listed) for topic, listed in lists.items()}
    best = max(counts, key=lambda topic: counts[topic], default=None)
    return best if best is not None and counts[best] >= 2 else None
