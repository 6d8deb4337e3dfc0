"""Topic or form that the top tokens of a feature have in common (S0.26 to S0.29).

A feature is judged by the whole edited words around its top tokens, never by the tokens alone: the
token "ham" of "hamster" is no food. A token without a letter or digit is its own word and bears
neither topic nor form. Every feature gets its best topic, its commonest first letter
and its commonest ending, so that features of form stand apart from features of meaning.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.text.wordlists import normal, read_lists

SUFFIX_LENGTHS = (2, 3, 4)
"""Letters of an ending. One letter would name every plural."""
MIN_STEM = 2
"""Letters that a word must have before its ending."""
BEGINNING = 4
"""Letters by which words of one first letter are told apart: dance and dancer are one beginning."""
SCHEMA = pa.schema(
    [
        ("feature", pa.int32()),
        ("n_shown", pa.int32()),
        ("topic", pa.string()),
        ("n_topic", pa.int32()),
        ("n_words", pa.int32()),
        ("found", pa.bool_()),
        ("letter", pa.string()),
        ("n_letter", pa.int32()),
        ("suffix", pa.string()),
        ("n_suffix", pa.int32()),
        ("n_distinct", pa.int32()),
        ("n_headlines", pa.int32()),
        ("form", pa.string()),
        ("label", pa.string()),
    ]
)
"""Columns of topics.parquet, see `judge`."""
SUMMARY = pa.schema(
    [
        ("topic", pa.string()),
        ("feature", pa.int32()),
        ("n_shown", pa.int32()),
        ("n_topic", pa.int32()),
        ("n_words", pa.int32()),
        ("found", pa.bool_()),
        ("n_found", pa.int32()),
    ]
)
"""Columns of a summary, see `summary`."""


class _Shown(NamedTuple):
    """The tokens that are judged; features and words as codes."""

    features: np.ndarray  # (feature,) ids in order of first appearance
    owner: np.ndarray  # (token,) place of the token's feature in `features`
    word: np.ndarray  # (token,) code of its word; -1 where nothing is left of it
    item: np.ndarray  # (token,)
    words: list[str]  # normalised, by code
    pair_owner: np.ndarray  # (pair,) the distinct (feature, word) pairs
    pair_word: np.ndarray  # (pair,)

    def tokens(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Feature and value of every token, where the value of its word is not negative."""
        value = np.append(codes, -1)[self.word]
        return self.owner[value >= 0], value[value >= 0]

    def pairs(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Feature and value of every distinct word of a feature, where it is not negative."""
        value = codes[self.pair_word] if len(codes) else self.pair_word
        return self.pair_owner[value >= 0], value[value >= 0]

    def table(self, owner: np.ndarray, code: np.ndarray, n: int) -> np.ndarray:
        """Counts (feature, n) of the values of tokens or pairs."""
        size = len(self.features)
        return np.bincount(owner * n + code, minlength=size * n).reshape(size, n)


def _counts(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys, ascending, and how often each stands there (np.unique is slower)."""
    keys = np.sort(keys)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.diff(first, append=len(keys))


def _shown(top: pa.Table, n_top: int) -> _Shown:
    """The first `n_top` active top tokens of every feature."""
    if "activation" in top.column_names:
        # The published pages fill up with tokens on which the feature is not active.
        top = top.filter(pa.array(top["activation"].to_numpy() > 0))
    encoded = top["feature"].combine_chunks().dictionary_encode()
    owner = encoded.indices.to_numpy().astype(np.int64)
    order = np.lexsort((top["example_rank"].to_numpy(), owner))
    owner = owner[order]
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    order, owner = order[place < n_top], owner[place < n_top]

    raw = top["word"].cast(pa.string()).combine_chunks().fill_null("").dictionary_encode()
    normalised = [normal(word) for word in raw.dictionary.to_pylist()]
    words = sorted(set(normalised) - {""})
    code = {word: place for place, word in enumerate(words)} | {"": -1}
    recode = np.array([code[word] for word in normalised], dtype=np.int64)
    word = recode[raw.indices.to_numpy()[order]] if len(order) else np.zeros(0, np.int64)
    has_word = word >= 0
    pairs, _ = _counts(owner[has_word] * max(len(words), 1) + word[has_word])
    return _Shown(
        encoded.dictionary.to_numpy(),
        owner,
        word,
        top["item"].to_numpy()[order].astype(np.int64),
        words,
        *np.divmod(pairs, max(len(words), 1)),
    )


def _distinct(shown: _Shown, owner: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Distinct keys (row,) per feature: (feature,)."""
    low = key.min(initial=0)
    span = key.max(initial=0) - low + 1
    owners = _counts(owner * span + key - low)[0] // span
    return np.bincount(owners, minlength=len(shown.features))


def _topics(shown: _Shown, lists: Mapping[str, list[str]]) -> tuple[np.ndarray, ...]:
    """Best topic of every feature, its tokens and its distinct words."""
    place = {word: code for code, word in enumerate(shown.words)}
    size = (len(shown.features), len(lists))
    tokens, words = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for column, listed in enumerate(lists.values()):
        on = np.full(len(shown.words), -1)
        on[[place[w] for w in {w.casefold() for w in listed} if w in place]] = 0
        tokens[:, column] = shown.table(*shown.tokens(on), 1)[:, 0]
        words[:, column] = shown.table(*shown.pairs(on), 1)[:, 0]
    if not lists:
        nothing = np.zeros(size[0], np.int64)
        return nothing - 1, nothing, nothing
    # The first of the largest: ties by the words, then by the order of the lists.
    best = np.argmax(tokens * (words.max(initial=0) + 1) + words, axis=1)
    rows = np.arange(size[0])
    n_topic, n_words = tokens[rows, best], words[rows, best]
    return np.where(n_topic > 0, best, -1), n_topic, n_words


def _letters(shown: _Shown) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """First letter of every feature (code or -1), its tokens, its distinct beginnings, names."""
    names = sorted({word[0] for word in shown.words if word[0].isalpha()})
    place = {letter: code for code, letter in enumerate(names)}
    letter = np.array([place.get(word[0], -1) for word in shown.words], dtype=np.int64)
    if not names:
        nothing = np.zeros(len(shown.features), np.int64)
        return nothing - 1, nothing, nothing, names
    counts = shown.table(*shown.tokens(letter), len(names))
    best, n = counts.argmax(axis=1), counts.max(axis=1)
    _, beginning = np.unique([word[:BEGINNING] for word in shown.words], return_inverse=True)
    owner, code = shown.pairs(letter)
    start = beginning[shown.pair_word[letter[shown.pair_word] >= 0]]
    is_best = code == best[owner]
    return np.where(n > 0, best, -1), n, _distinct(shown, owner[is_best], start[is_best]), names


def _suffixes(shown: _Shown, need: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Ending of every feature (code or -1), its tokens and distinct words, and names by code."""
    endings = [[_ending(word, length) for word in shown.words] for length in SUFFIX_LENGTHS]
    names = sorted(set().union(*endings) - {""})
    place = {ending: code for code, ending in enumerate(names)} | {"": -1}
    count = len(names)
    keys, tokens, words = [], [], []
    for of_words in endings:
        code = np.array([place[ending] for ending in of_words], np.int64)
        owner, value = shown.tokens(code)
        key, n = _counts(owner * count + value)
        owner, value = shown.pairs(code)
        keys.append(key)
        tokens.append(n)
        words.append(_counts(owner * count + value)[1])
    key, n, n_words = (np.concatenate(part) for part in (keys, tokens, words))
    size = len(shown.features)
    best, n_best, words_best = np.full(size, -1), np.zeros(size, np.int64), np.zeros(size, np.int64)
    if not len(key):
        return best, n_best, words_best, names
    owner, code = np.divmod(key, count)
    length = np.array([len(name) for name in names])[code]
    pure = n >= need
    # Pure endings first, the longest of them; else the commonest, then the longest.
    by = (code, -np.where(pure, n, length), -np.where(pure, length, n), ~pure, owner)
    order = np.lexsort(by)
    owners, first = np.unique(owner[order], return_index=True)
    chosen = order[first]
    best[owners], n_best[owners], words_best[owners] = code[chosen], n[chosen], n_words[chosen]
    return best, n_best, words_best, names


def _ending(word: str, length: int) -> str:
    """The last letters of a word; nothing where they are no letters or leave too short a stem."""
    ending = word[-length:]
    return ending if len(word) >= length + MIN_STEM and ending.isalpha() else ""


def _names(codes: np.ndarray, names: list[str], template: str = "{}") -> np.ndarray:
    """Names of the codes (feature,), None where negative."""
    known = np.array([*(template.format(name) for name in names), None], dtype=object)
    return known[codes]


def judge(
    top_tokens: pa.Table,
    lists: Mapping[str, list[str]],
    n_top: int = 20,
    need_on_topic: int = 16,
    need_words: int = 6,
    need_form: int | None = None,
    groups: np.ndarray | None = None,
) -> pa.Table:
    """One row a feature with what its first `n_top` active top tokens have in common.

    Columns (`SCHEMA`), features in order of first appearance:

    - n_shown: tokens judged; n_distinct: distinct words among them; n_headlines: distinct originals
      by `groups` (item,), distinct items without.
    - topic: the topic with the most tokens whose word is in its list, ties by distinct words, then
      by the order of the lists; null where none. n_topic: those tokens; n_words: distinct words
      among them. found: n_topic >= need_on_topic and n_words >= need_words, unless more of the
      tokens bear the form: it explains them better, and the feature is one of form.
    - letter, n_letter: the commonest first letter (ties by alphabet) and its tokens.
    - suffix, n_suffix: an ending of two to four letters after a stem of at least two, and its
      tokens: the longest ending on at least need_form tokens, else the commonest one (ties by
      length, then by alphabet).
    - form: 'starts with "c"' or 'ends with "ing"' where at least need_form tokens bear it, with at
      least need_words distinct words; for a first letter these must differ within their first four
      letters, so that dance, dancer and dancing are one. The form with more tokens is named; an
      ending wins a tie. Without need_form it is nine tenths of n_top.
    - label: the topic where it is found, else the form, else null.

    Words are compared whole, as `normal` gives them. top_tokens: feature, example_rank, item, word;
    rows with an `activation` of zero do not count.
    """
    need_form = -(-9 * n_top // 10) if need_form is None else need_form
    shown = _shown(top_tokens, n_top)
    headline = shown.item if groups is None else groups[shown.item]
    topic, n_topic, n_words = _topics(shown, lists)
    letter, n_letter, beginnings, letters = _letters(shown)
    suffix, n_suffix, endings, suffixes = _suffixes(shown, need_form)
    starts = (n_letter >= need_form) & (beginnings >= need_words)
    ends = (n_suffix >= need_form) & (endings >= need_words)
    ends &= ~starts | (n_suffix >= n_letter)
    form = np.where(starts, _names(letter, letters, 'starts with "{}"'), None)
    form = np.where(ends, _names(suffix, suffixes, 'ends with "{}"'), form)
    n_form = np.where(ends, n_suffix, np.where(starts, n_letter, 0))
    on_topic = (n_topic >= need_on_topic) & (n_words >= need_words) & (n_topic >= n_form)
    topics = _names(topic, list(lists))
    every = np.zeros(len(shown.words), np.int64)
    columns = {
        "feature": shown.features,
        "n_shown": np.bincount(shown.owner, minlength=len(shown.features)),
        "topic": topics,
        "n_topic": n_topic,
        "n_words": n_words,
        "found": on_topic,
        "letter": _names(letter, letters),
        "n_letter": n_letter,
        "suffix": _names(suffix, suffixes),
        "n_suffix": n_suffix,
        "n_distinct": shown.table(*shown.pairs(every), 1)[:, 0],
        "n_headlines": _distinct(shown, shown.owner, headline),
        "form": form,
        "label": np.where(on_topic, topics, form),
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in SCHEMA})


def judge_with(
    top_tokens: pa.Table, settings: Mapping[str, Any], n_top: int, tokens: pa.Table
) -> pa.Table:
    """`judge` by the settings of a config: lists (a path, or None), need_on_topic, need_words.

    tokens: tokens.parquet, for the original headline that an item belongs to.
    """
    lists = read_lists(settings["lists"]) if settings["lists"] else {}
    item = tokens["item"].to_numpy()
    groups = np.zeros(int(item.max(initial=-1)) + 1, np.int64)
    groups[item[item >= 0]] = tokens["group"].to_numpy()[item >= 0]
    need = settings["need_on_topic"], settings["need_words"]
    return judge(top_tokens, lists, n_top, *need, groups=groups)


def summary(judged: pa.Table, topics: Iterable[str]) -> pa.Table:
    """One row a topic with the feature that shows it best, see `SUMMARY`.

    Of the features whose topic it is, the best one is found, then has the largest n_topic, then
    n_words, then stands first in `judged`. n_found: features that show the topic. Without any
    feature the row has nulls and zeros.
    """
    rows, judgements = [], judged.filter(judged["topic"].is_valid()).to_pylist()
    for topic in topics:
        matches = [row for row in judgements if row["topic"] == topic]
        nothing = {"feature": None, "n_shown": 0, "n_topic": 0, "n_words": 0, "found": False}
        best = max(matches, key=lambda r: (r["found"], r["n_topic"], r["n_words"]), default=nothing)
        kept = {name: best[name] for name in nothing}
        rows.append({"topic": topic, **kept, "n_found": sum(row["found"] for row in matches)})
    return pa.Table.from_pylist(rows, SUMMARY)


def shuffled(lists: Mapping[str, list[str]], seed: int) -> dict[str, list[str]]:
    """The control: the same words dealt at random to topics of the same sizes.

    Every word takes the place of another one in all its lists, so that overlaps stay as they are.
    """
    words = sorted({word for listed in lists.values() for word in listed})
    dealt = np.random.default_rng(seed).permutation(len(words))
    other = {word: words[place] for word, place in zip(words, dealt.tolist(), strict=True)}
    return {topic: [other[word] for word in listed] for topic, listed in lists.items()}
