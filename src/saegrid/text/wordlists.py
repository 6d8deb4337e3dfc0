"""Word lists of topics, and what counts as the same word."""

import os
from collections.abc import Iterable
from functools import lru_cache

from saegrid.base.io import read_yaml


class TopicsError(ValueError):
    """Word lists that cannot be used; the message names the file and the topic."""


def read_lists(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """The word lists of a YAML file by topic, in its order.

    Raises TopicsError where `topics` is missing, or where a list holds something other than
    lower-case words without blanks, or a word twice.
    """
    body = read_yaml(path)
    lists = body.get("topics") if isinstance(body, dict) else None
    if not isinstance(lists, dict) or not lists:
        raise TopicsError(f"{path}: topics must be a mapping of topics to word lists.")
    for topic, words in lists.items():
        if not isinstance(words, list) or not words:
            raise TopicsError(f"{path}: topics.{topic} must be a list of words; got {words!r}.")
        seen: set[str] = set()
        for word in words:
            if not isinstance(word, str) or normal(word) != word or len(word.split()) != 1:
                raise TopicsError(
                    f"{path}: topics.{topic}: a word must be one lower-case word; got {word!r}. "
                    "Quote words that YAML reads as truth values, like 'no'."
                )
            if word in seen:
                raise TopicsError(f"{path}: topics.{topic}: {word!r} stands there twice.")
            seen.add(word)
    return lists


def read_all(paths: Iterable[str | os.PathLike[str]]) -> dict[str, list[str]]:
    """The word lists of several files; of a topic that two have, the first one's."""
    lists: dict[str, list[str]] = {}
    for path in paths:
        for topic, words in read_lists(path).items():
            lists.setdefault(topic, words)
    return lists


def bare(word: str) -> str:
    """A word without marks at its ends."""
    if word.isalnum():  # most words: nothing to take off
        return word
    first = next((i for i, letter in enumerate(word) if letter.isalnum()), len(word))
    last = next((i for i in range(len(word), first, -1) if word[i - 1].isalnum()), first)
    return word[first:last]


@lru_cache(maxsize=100_000)
def normal(word: str) -> str:
    """A word as it is compared: case-folded, without marks at its ends and without a final 's."""
    return bare(word.casefold().replace("’", "'")).removesuffix("'s")
