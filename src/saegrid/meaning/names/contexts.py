"""The contexts of features: those shown for a name, and those by which a name is scored.

Texts fall into two halves, by original and seed: names come from the one, scores from the other.
A context is a text with a mark on the edit, or in plain text on a word, since that is where it is
known whether a feature fires. Of one feature and use no two contexts have the same original.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED, PLAIN
from saegrid.codes.sparse import Features
from saegrid.features import ordering
from saegrid.features.density import counted
from saegrid.features.examples import QUANTILES
from saegrid.features.windows import bare_word
from saegrid.meaning.names.namer import DETECTION, FUZZING, Context
from saegrid.meaning.names.words import topic_of, types
from saegrid.meaning.occurrences import Occurrences, occurrences
from saegrid.text.split import held_out
from saegrid.text.wordlists import normal

SHOWN = "shown"
RANDOM, MEANING, FORM = KINDS = ("random", "meaning", "form")
"""Kinds of contexts on which a feature is silent: any, those whose word is near in meaning to its
own, and those whose word is spelled alike."""
RIGHT, WRONG = "right", "wrong"
"""Marks of fuzzing: on what the feature fires on, and on another word of the same text."""


class Settings(NamedTuple):
    """Numbers of contexts, and what decides how they are drawn."""

    n_shown: int = 20
    n_scored: int = 24
    """Contexts on which a feature fires; as many silent ones, a third of each kind."""
    window: int = 32
    """Tokens before and after the mark."""
    seed: int = 0


class Material(NamedTuple):
    """The texts of a corpus as the contexts of a cell's features."""

    features: Features
    tokens: Mapping[str, Any]
    """Columns row and item as arrays, text as a list; ours (token,) bool: part of a text that has
    contexts."""
    places: Occurrences
    """Edits, or captured words of plain text: on these it is known whether a feature fires."""
    first: np.ndarray
    """(occurrence,) int64 first token."""
    last: np.ndarray
    """(occurrence,) int64 last token."""
    group: np.ndarray
    """(occurrence,) the original that it is of."""
    scored: np.ndarray
    """(occurrence,) bool: in the half that names have not seen."""
    types: Sequence[Sequence[str]]
    """Stems of each word."""
    spelled: np.ndarray
    """(occurrence,) the words as they are compared."""
    others: Occurrences
    """All words of the same texts."""
    other_first: np.ndarray
    other_last: np.ndarray
    other_known: np.ndarray
    """(word,) bool: captured whole, with a letter."""


class Drawn(NamedTuple):
    """A context that was drawn."""

    feature: int
    use: str
    """shown, detection or fuzzing."""
    kind: str
    """The fifth of activation, q1 (weakest) to q5, where the feature fires; else random, meaning,
    form; of fuzzing right, wrong."""
    item: int
    token_index: int
    """First token of the mark."""
    activation: float
    """The largest on the mark."""
    truth: bool
    """The answer that is right: the feature fires on the mark."""
    context: Context


def material(
    features: Features,
    tokens: pa.Table,
    kept: np.ndarray,
    edits: Sequence[str] | None,
    layout: str = "headline",
    seed: int = 0,
) -> Material:
    """The occurrences of a corpus.

    tokens: tokens.parquet. kept: (item,) bool. edits: (item,) the word of each edit; None of plain
    text.
    """
    masked = counted(tokens, kept, features.token, layout).masked
    captured = np.zeros(tokens.num_rows, bool)
    captured[features.token] = True
    side = np.asarray(tokens["side"].cast(pa.string()))
    item = tokens["item"].to_numpy()
    special = tokens["special"].to_numpy(zero_copy_only=False).astype(bool)
    ours = (item >= 0) & ~special & (side == (PLAIN if edits is None else EDITED))
    ours &= np.append(kept, False)[item]
    others = occurrences(tokens, ours, None)
    places = occurrences(tokens, masked, edits)
    first, last = _ends(places)
    other_first, other_last = _ends(others)
    whole = np.bincount(others.token[ours], captured[ours], others.n) == np.bincount(
        others.token[ours], minlength=others.n
    )
    has_letter = np.array([any(map(str.isalnum, word)) for word in others.word], bool)
    group = tokens["group"].to_numpy()[first] if places.n else np.zeros(0, np.int64)
    return Material(
        features,
        {
            "row": tokens["row"].to_numpy(),
            "item": item,
            "text": tokens["text"].to_pylist(),
            "ours": ours,
        },
        places,
        first,
        last,
        group,
        held_out(group, 0.5, seed),
        [types(word) for word in places.word],
        np.array([normal(word) for word in places.word], dtype=str),
        others,
        other_first,
        other_last,
        whole & has_letter,
    )


def _ends(of: Occurrences) -> tuple[np.ndarray, np.ndarray]:
    """(occurrence,) int64 the first and the last token of each."""
    index = np.flatnonzero(of.token >= 0)
    number = of.token[index]
    new = np.diff(number, prepend=-1) != 0
    ends = np.append(np.flatnonzero(new)[1:] - 1, len(index) - 1) if len(index) else []
    return index[new], index[np.asarray(ends, np.int64)]


def activations(of: Occurrences, features: Features, feature: int) -> np.ndarray:
    """(occurrence,) float32: the largest activation of a feature on the tokens of each; 0 where it
    is silent."""
    token, value = features.of(feature)
    at = of.token[token]
    largest = np.zeros(of.n, np.float32)
    np.maximum.at(largest, at[at >= 0], value[at >= 0])
    return largest


def draw(
    of: Material,
    feature: int,
    lists: Mapping[str, frozenset[str]],
    settings: Settings,
    concept: Mapping[str, Any] | None = None,
) -> list[Drawn]:
    """The contexts of a feature, each use in the order in which they are shown.

    lists: stems by concept or topic; concept: the feature's row of concepts.parquet.
    """
    value = activations(of.places, of.features, feature)
    shown = _shown(of, feature, value, settings)
    held = np.flatnonzero((value > 0) & of.scored)
    held = _one_of_each(of, held, _lot(settings.seed, 1, feature, held))
    return [
        *(_drawn(of, feature, SHOWN, kind, at, value, settings) for kind, at in shown),
        *_detection(of, feature, value, held, [at for _, at in shown], lists, settings, concept),
        *_fuzzing(of, feature, value, held, settings),
    ]


def _shown(
    of: Material, feature: int, value: np.ndarray, settings: Settings
) -> list[tuple[str, int]]:
    """Occurrences with their fifth: the strongest, half of the number, then a draw from the fifths
    of the others; in order of strength."""
    active = np.flatnonzero((value > 0) & ~of.scored)
    active = active[np.argsort(-value[active], kind="stable")]
    active = _one_of_each(of, active, np.arange(len(active)).astype(np.uint64))
    quantile = dict(zip(active.tolist(), _fifths(value[active]), strict=True))
    half = -(-settings.n_shown // 2)
    top, rest = active[:half], active[half:]
    more = _stratified(rest, _fifths(value[rest]), settings.n_shown - half, settings, feature, 0)
    chosen = sorted([*top.tolist(), *more.tolist()], key=lambda at: (-value[at], at))
    return [(f"q{quantile[at] + 1}", at) for at in chosen]


def _detection(
    of: Material,
    feature: int,
    value: np.ndarray,
    held: np.ndarray,
    shown: Sequence[int],
    lists: Mapping[str, frozenset[str]],
    settings: Settings,
    concept: Mapping[str, Any] | None,
) -> list[Drawn]:
    """Contexts on which a feature fires, over its range of activation, and silent ones."""
    fifths = _fifths(value[held])
    chosen = _stratified(held, fifths, settings.n_scored, settings, feature, 2)
    quantile = dict(zip(held.tolist(), fifths, strict=True))
    drawn = [(f"q{quantile[at] + 1}", at) for at in chosen.tolist()]
    silent = np.flatnonzero((value == 0) & of.scored & ~np.isin(of.group, of.group[chosen]))
    silent = _one_of_each(of, silent, _lot(settings.seed, 3, feature, silent))
    near = _near(of, silent, shown, lists, concept)
    alike = _alike(of, silent, shown)
    masks = {MEANING: near, FORM: alike & ~near, RANDOM: np.ones(len(silent), bool)}
    free = np.ones(len(silent), bool)
    lot = _lot(settings.seed, 4, feature, silent)
    for kind, mask in masks.items():
        able = np.flatnonzero(mask & free)
        taken = able[np.argsort(lot[able], kind="stable")][: settings.n_scored // len(KINDS)]
        free[taken] = False
        drawn += [(kind, at) for at in silent[taken].tolist()]
    order = _lot(settings.seed, 5, feature, np.array([at for _, at in drawn], np.int64))
    ordered = [drawn[i] for i in np.argsort(order, kind="stable")]
    return [_drawn(of, feature, DETECTION, kind, at, value, settings) for kind, at in ordered]


def _near(
    of: Material,
    silent: np.ndarray,
    shown: Sequence[int],
    lists: Mapping[str, frozenset[str]],
    concept: Mapping[str, Any] | None,
) -> np.ndarray:
    """(silent,) bool: the word is in the list of the feature's concept, or where it has none in the
    list that holds most of its shown words; or is one of those."""
    words = {word for at in shown for word in of.types[at]}
    name = concept["concept"] if concept else None
    listed = lists.get(name or "") or lists.get(topic_of(words, lists) or "", frozenset())
    return np.array([not (listed | words).isdisjoint(of.types[at]) for at in silent], bool)


def _alike(of: Material, silent: np.ndarray, shown: Sequence[int]) -> np.ndarray:
    """(silent,) bool: the word has the commonest first letter or last two letters of the shown
    words, each word counted once."""
    words = sorted({word for at in shown if (word := str(of.spelled[at]))})
    if not words:
        return np.zeros(len(silent), bool)
    letter, ending = (
        Counter(part).most_common(1)[0][0]
        for part in ([word[0] for word in words], [word[-2:] for word in words])
    )
    spelled = of.spelled[silent]
    return np.char.startswith(spelled, letter) | np.char.endswith(spelled, ending)


def _fuzzing(
    of: Material, feature: int, value: np.ndarray, held: np.ndarray, settings: Settings
) -> list[Drawn]:
    """Contexts on which a feature fires, half of them with the mark on another word of the text
    that was captured and on which it is silent, as far as they have one."""
    n = min(settings.n_scored, len(held)) // 2
    silent = activations(of.others, of.features, feature) == 0
    items = of.places.item[held]
    words = np.flatnonzero(silent & of.other_known & np.isin(of.others.item, items))
    place = dict(zip(items.tolist(), held.tolist(), strict=True))
    at = np.array([place[item] for item in of.others.item[words].tolist()], np.int64)
    apart = (of.other_last[words] < of.first[at]) | (of.other_first[words] > of.last[at])
    words, at = words[apart], at[apart]
    order = np.argsort(_lot(settings.seed, 6, feature, words), kind="stable")
    wrong: dict[int, int] = {}
    for word, text in zip(words[order].tolist(), at[order].tolist(), strict=True):
        if len(wrong) < n and text not in wrong:
            wrong[text] = word
    rest = np.array([text for text in held.tolist() if text not in wrong], np.int64)
    right = rest[np.argsort(_lot(settings.seed, 7, feature, rest), kind="stable")][: len(wrong)]
    drawn = [_drawn(of, feature, FUZZING, RIGHT, text, value, settings) for text in right.tolist()]
    for text, word in wrong.items():
        ends = int(of.other_first[word]), int(of.other_last[word])
        context = _context(of, *ends, settings.window)
        item = int(of.places.item[text])
        drawn.append(Drawn(feature, FUZZING, WRONG, item, ends[0], 0.0, False, context))
    token = np.array([one.token_index for one in drawn], np.int64)
    order = np.argsort(_lot(settings.seed, 8, feature, token), kind="stable")
    return [drawn[i] for i in order]


def _one_of_each(of: Material, chosen: np.ndarray, lot: np.ndarray) -> np.ndarray:
    """One of the occurrences of each original, that of the smallest lot; in their order."""
    order = np.lexsort((lot, of.group[chosen]))
    new = np.diff(of.group[chosen][order], prepend=-2) != 0
    return chosen[np.sort(order[new])]


def _fifths(value: np.ndarray) -> np.ndarray:
    """(entry,) the fifth of equal number that each activation is in, 0 the weakest."""
    fifth = np.empty(len(value), np.int64)
    fifth[np.argsort(value, kind="stable")] = (
        np.arange(len(value)) * QUANTILES // max(len(value), 1)
    )
    return fifth


def _stratified(
    chosen: np.ndarray, fifth: np.ndarray, n: int, settings: Settings, feature: int, stream: int
) -> np.ndarray:
    """At most n occurrences, as many of each fifth as there are."""
    lot = _lot(settings.seed, stream, feature, chosen)
    order = np.lexsort((lot, fifth))
    number = np.empty(len(chosen), np.int64)
    number[order] = ordering.number(fifth[order])
    # First of each fifth the first of its lot, the strongest fifth before the others.
    return chosen[np.lexsort((-fifth, number))[:n]]


def _lot(seed: int, stream: int, feature: int, place: np.ndarray) -> np.ndarray:
    """(entry,) uint64: even numbers that depend on seed, stream, feature and place alone."""
    zeros = np.zeros(len(place), np.int64)
    return ordering.draw(seed, 100 + stream, np.array([feature]), zeros, place)


def _drawn(
    of: Material, feature: int, use: str, kind: str, at: int, value: np.ndarray, settings: Settings
) -> Drawn:
    ends = int(of.first[at]), int(of.last[at])
    context = _context(of, *ends, settings.window)
    strength = float(value[at])
    return Drawn(
        feature, use, kind, int(of.places.item[at]), ends[0], strength, strength > 0, context
    )


def _context(of: Material, first: int, last: int, window: int) -> Context:
    """The text around some tokens, of the same row and item; the mark takes in whole words."""
    row, item, text = (of.tokens[name] for name in ("row", "item", "text"))
    start, stop = first, last
    while start > 0 and first - start < window and _same(row, item, start - 1, first):
        start -= 1
    while stop + 1 < len(row) and stop - last < window and _same(row, item, stop + 1, last):
        stop += 1
    inside = of.tokens["ours"]
    before = "".join(text[i] for i in range(start, first) if inside[i])
    marked = "".join(text[i] for i in range(first, last + 1))
    after = "".join(text[i] for i in range(last + 1, stop + 1) if inside[i])
    return spelled(before, marked, after)


def spelled(before: str, marked: str, after: str) -> Context:
    """A text with a mark, blanks at its ends left out. The mark grows to whole words, and has no
    blanks or punctuation at its ends unless it holds nothing else."""
    whole = before + marked + after
    start, stop = len(before), len(before) + len(marked)
    while start < stop and whole[start].isspace():
        start += 1
    while stop > start and whole[stop - 1].isspace():
        stop -= 1
    while start > 0 and not whole[start - 1].isspace():
        start -= 1
    while stop < len(whole) and not whole[stop].isspace():
        stop += 1
    inner = bare_word(whole[start:stop])
    start += whole[start:stop].index(inner)
    blank = len(whole) - len(whole.lstrip())
    return Context(whole.strip(), start - blank, start - blank + len(inner))


def _same(row: np.ndarray, item: np.ndarray, one: int, other: int) -> bool:
    return row[one] == row[other] and item[one] == item[other]


def table_rows(drawn: Sequence[Drawn]) -> Iterator[dict[str, Any]]:
    """The drawn contexts as rows of names_contexts.parquet."""
    for one in drawn:
        rest, context = one._asdict(), one.context
        del rest["context"]
        yield {**rest, **context._asdict(), "word": context.marked}
