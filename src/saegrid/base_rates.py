"""How common the topics are in a corpus: what a feature's examples must be held against.

A feature whose top tokens are on one topic says little where most of the text is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from saegrid import io
from saegrid.store.texts import names, texts
from saegrid.wordlists import normal


def base_rates(found: Iterable[str], lists: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Of each topic the share of words that are on it, and of texts with such a word.

    Words are what stands between blanks, compared as `topics` compares them. A word of two lists
    counts for both.
    """
    topics: dict[str, list[str]] = {}
    for topic, words in lists.items():
        for word in words:
            topics.setdefault(word.casefold(), []).append(topic)
    n_texts, n_words = 0, 0
    of_words: Counter[str] = Counter()
    of_texts: Counter[str] = Counter()
    for text in found:
        counts = Counter(map(normal, text.split()))
        here: Counter[str] = Counter()
        for word in counts.keys() & topics.keys():
            for topic in topics[word]:
                here[topic] += counts[word]
        n_texts, n_words = n_texts + 1, n_words + counts.total()
        of_words += here
        of_texts.update(here.keys())
    return [
        {
            "topic": topic,
            "words": of_words[topic],
            "word_share": of_words[topic] / max(n_words, 1),
            "texts": of_texts[topic],
            "text_share": of_texts[topic] / max(n_texts, 1),
            "n_words": n_words,
            "n_texts": n_texts,
        }
        for topic in lists
    ]


def texts_of(part: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a corpus: of its table of items, or of its stream as far as its store goes.

    part: `items`, or `source` and `facts` of a site. Texts that are cut count whole; originals of
    pairs do not count.
    """
    if "items" in part:
        yield from io.read_table(part["items"], ["edited"])["edited"].to_pylist()
        return
    stream = texts(part["source"], names(part["source"]))
    n = io.read_json(part["facts"])["texts"]
    yield from (text.text for text in islice(stream, n) if not text.problem)


def table(parts: Iterable[Mapping[str, Any]], lists: Mapping[str, list[str]]) -> pa.Table:
    """corpus and `base_rates`, one row a corpus and topic."""
    rows = [
        {"corpus": part["corpus"], **row}
        for part in parts
        for row in base_rates(texts_of(part), lists)
    ]
    return pa.Table.from_pylist(rows)
