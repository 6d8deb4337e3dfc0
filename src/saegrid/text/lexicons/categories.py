"""Subjects of the edits of the humor study: clusters of words and oppositions.

The file is `config/categories.yaml`. Its oppositions without words (actual, normal, possible) can
be told of a whole text alone, and are no concepts here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saegrid.base.errors import shown
from saegrid.text.lexicons.lexicon import Concept, Kind, Lexicon, LexiconError, read_body
from saegrid.text.wordlists import normal

KEYS = ("oppositions", "categories", "clusters")
POLES = (("name", "words"), ("opposed", "opposed_words"))
"""Keys of the name and the words of each pole of an opposition."""
EXAMPLE = "clusters: [{label: sex, words: [orgy, porn]}]"


def read(path: Path, senses: str) -> Lexicon:
    """The clusters and the poles of the oppositions that have words, in the file's order.

    The rule of senses changes nothing: a word of a list belongs to its concept.

    Raises:
        LexiconError: the file is not there or cannot be used.
    """
    body = read_body(path, KEYS, EXAMPLE)
    concepts = tuple(
        concept
        for key, value in body.items()
        for entry in entries(path, key, value)
        for concept in READERS[key](path, entry)
    )
    names = [concept.name for concept in concepts]
    for concept in concepts:
        if names.count(concept.name) > 1:
            raise LexiconError(f"{path}: two concepts are named {concept.name!r}. Rename one.")
    if not concepts:
        raise LexiconError(f"{path}: there is no concept with words, as in `{EXAMPLE}`.")
    return Lexicon(
        "categories",
        "Clusters of Hossain, Krumm and Gamon 2019 (arXiv:1906.00274, Table 2), cited with five "
        "words each, and oppositions after Raskin with words written by hand (MIT, as the "
        "repository).",
        concepts,
    )


def entries(path: Path, key: str, value: Any) -> list[dict[str, Any]]:
    """The entries of a key that are concepts."""
    if key not in READERS:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise LexiconError(f"{path}: {key} must be a list of mappings, as in `{EXAMPLE}`.")
    return value


def cluster(path: Path, entry: dict[str, Any]) -> Iterator[Concept]:
    """The concept of a cluster."""
    name = label(path, entry, "label")
    yield Concept(name, name, words(path, name, entry.get("words")))


def opposition(path: Path, entry: dict[str, Any]) -> Iterator[Concept]:
    """The concepts of both poles of an opposition; none where it has no words."""
    if not any(key in entry for _, key in POLES):
        return
    names = [label(path, entry, name) for name, _ in POLES]
    for (_, key), name, other in zip(POLES, names, reversed(names), strict=True):
        yield Concept(name, f"{name} (not {other})", words(path, name, entry.get(key)))


READERS = {"oppositions": opposition, "clusters": cluster}


def label(path: Path, entry: dict[str, Any], key: str) -> str:
    """The name of a concept."""
    name = entry.get(key)
    if not isinstance(name, str) or not name:
        raise LexiconError(f"{path}: {key} must be a text in each entry; got {shown(name)}.")
    return name


def words(path: Path, name: str, listed: Any) -> tuple[str, ...]:
    """The words of a concept."""
    if not isinstance(listed, list) or not listed:
        raise LexiconError(f"{path}: {name} must have a list of words; got {shown(listed)}.")
    for word in listed:
        if not isinstance(word, str) or normal(word) != word or len(word.split()) != 1:
            raise LexiconError(
                f"{path}: {name}: a word must be one lower-case word; got {shown(word)}. Quote "
                "words that YAML reads as truth values, like 'no'."
            )
        if listed.count(word) > 1:
            raise LexiconError(f"{path}: {name}: {word!r} stands there twice.")
    return tuple(listed)


LEXICON = Kind("config/categories.yaml", read)
