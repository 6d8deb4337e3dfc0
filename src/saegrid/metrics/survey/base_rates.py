"""The base rates of topics in a corpus, the baseline for a feature's examples.

A feature whose top tokens are on one topic says little if most of the text is on it. Beside the
topics of a study stand kinds of words that often fill a corpus, so that "all features are about
sports" is seen as a property of the text (S2.20).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import pyarrow as pa

from saegrid.base import io
from saegrid.store.texts import names, texts
from saegrid.text.continued import drawn_texts
from saegrid.text.corpora.text import parts as pieces
from saegrid.text.wordlists import bare, normal

FORMS = {
    "dates": re.compile(
        r"(?:1[5-9]|20)\d\d(?:['’]?s)?"  # 1987, 1990s
        r"|\d{1,2}([/.-])\d{1,2}\1\d{2,4}"  # 12/7/2019
        r"|\d{4}-\d\d-\d\d"
    ),
    "acronyms": re.compile(r"[A-Z](?:[.&]?[A-Z])+\.?(?:['’]?s)?"),  # NBA, U.S., AT&T, CEOs
}
"""Topics by the form of a word, without marks at its ends, beside a list of that name or alone. In
a text without a small letter no word has the form of an acronym."""
KNOWN = 1 << 20
"""Number of words whose topics are remembered."""


def base_rates(stream: Iterable[str], lists: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """The shares of words on each topic, and of texts with such a word, one row a topic.

    Topics of FORMS without a list come last. Words are separated by blanks and compared as in
    `topics`. A word of two topics counts for both.
    """
    topics = [*lists, *(form for form in FORMS if form not in lists)]
    topics_of = _judge(lists)
    n_texts, n_words = 0, 0
    of_words: Counter[str] = Counter()
    of_texts: Counter[str] = Counter()
    for text in stream:
        words, here = (text.casefold() if text.isupper() else text).split(), Counter[str]()
        for word in words:
            here.update(topics_of(word))
        n_texts, n_words = n_texts + 1, n_words + len(words)
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
        for topic in topics
    ]


def _judge(lists: Mapping[str, list[str]]) -> Callable[[str], tuple[str, ...]]:
    """A function that returns the topics of a word in its spelling in a text."""
    listed: dict[str, set[str]] = {}
    for topic, words in lists.items():
        for word in words:
            listed.setdefault(word.casefold(), set()).add(topic)

    @lru_cache(KNOWN)
    def topics_of(word: str) -> tuple[str, ...]:
        inner = bare(word)
        formed = {topic for topic, form in FORMS.items() if form.fullmatch(inner)}
        return tuple(sorted(listed.get(normal(word), set()) | formed))

    return topics_of


def texts_of(part: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a corpus: of its table of items, of what was drawn after its prompts, or of its
    stream as far as its store goes.

    Text that the store drops because it has too many tokens counts; originals of pairs do not.

    part: `items`, or `tokens`, or `source` and `facts` of a site, and `longest`, the number of
    characters behind which the store drops the rest of a text, or None.
    """
    if "items" in part:
        yield from io.read_table(part["items"], ["edited"])["edited"].to_pylist()
        return
    if "tokens" in part:
        yield from drawn_texts(io.read_table(part["tokens"], ["item", "text", "side", "special"]))
        return
    stream = texts(part["source"], names(part["source"]))
    n = io.read_json(part["facts"])["texts"]
    for text in islice(stream, n):
        if not text.problem:
            yield next(pieces(text.text.strip(), part.get("longest")))


def table(parts: Iterable[Mapping[str, Any]], lists: Mapping[str, list[str]]) -> pa.Table:
    """The table of `base_rates` with a column `corpus`, one row a corpus and topic."""
    rows = [
        {"corpus": part["corpus"], **row}
        for part in parts
        for row in base_rates(texts_of(part), lists)
    ]
    return pa.Table.from_pylist(rows)
