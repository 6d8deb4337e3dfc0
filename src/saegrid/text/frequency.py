"""Log frequencies of words, a control of what edits are made of.

The package `wordfreq` (the extra `words` of this one) knows words from many sources. Without it the
texts of the corpus itself are counted, which is a weaker control: these counts follow its topics,
and most words stand in it a few times. Results depend on which it was, so that whoever asks records
the name of the source.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

from saegrid.base.errors import ConfigError
from saegrid.text.wordlists import normal

SOURCES = ("auto", "wordfreq", "corpus")
"""Settings of the source; auto: wordfreq where it is installed, else corpus."""
COUNTS = "counts of the corpus' own words, a weaker control"


def source_name(source: str = "auto") -> str:
    """The source of frequencies in plain words, for the spec of a job: `wordfreq 3.1.1`.

    Raises:
        ConfigError: wordfreq is asked for and not installed.
        ValueError: there is no such source.
    """
    if source not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(SOURCES)}; got {source!r}.")
    if source == "corpus":
        return COUNTS
    if find_spec("wordfreq") is not None:
        try:
            return f"wordfreq {version('wordfreq')}"
        except PackageNotFoundError:
            return "wordfreq of an unknown version"
    if source == "auto":
        return COUNTS
    raise ConfigError(
        "frequency: wordfreq is asked for and is not installed: install it (`pip install "
        "wordfreq`), or take corpus, the counts of the corpus' own words."
    )


def last_word(words: str) -> str:
    """The last word of an edit as it is compared: the head of most English phrases; empty where it
    has none."""
    return next(filter(None, map(normal, reversed(words.split()))), "")


def counts(texts: Iterable[str]) -> Counter[str]:
    """The words of some texts with their numbers, as words are compared; a text that stands several
    times counts once."""
    numbers: Counter[str] = Counter()
    for text in dict.fromkeys(texts):
        numbers.update(filter(None, map(normal, text.split())))
    return numbers


def frequency(
    words: Sequence[str], texts: Iterable[str], source: str = "auto", language: str = "en"
) -> tuple[np.ndarray, str]:
    """The log frequency of each word (word,) float64, and the name of the source in plain words.

    Zipf frequencies (the base-10 logarithm of the number in 10^9 words, 0 of an unknown word) of
    wordfreq, else log(1 + number in the texts). Of an edit of several words it is that of the last
    one. Words are compared as those of topics are: case-folded, without marks at their ends and
    without a final 's.

    Args:
        words: words, or edits of several.
        texts: texts of the corpus, which are counted where wordfreq is not used.
        source: auto, wordfreq or corpus, see `SOURCES`.
        language: language of the words, for wordfreq.

    Raises as `source_name` does.
    """
    name = source_name(source)
    last = list(map(last_word, words))
    if name == COUNTS:
        numbers = counts(texts)
        return np.log1p(np.array([numbers[word] for word in last], dtype=np.float64)), name
    from wordfreq import zipf_frequency  # an extra

    known = cache(lambda word: zipf_frequency(word, language) if word else 0.0)
    return np.array([known(word) for word in last], dtype=np.float64), name
