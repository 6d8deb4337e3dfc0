"""Form: what the words on which a feature fires most share besides meaning.

Of the strongest occurrences of a feature (rows) are counted those whose word has its commonest
first letter, its commonest ending, the same place in the text, and those on which the same token is
the strongest one. A feature of the piece `ur` fires on hamburgers, turnips and returns: it is none
of food. What a form explains is no concept, so that form is judged first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from saegrid.meaning.occurrences import Fired, Occurrences
from saegrid.text.wordlists import normal

LENGTHS = (2, 3, 4)
"""Letters of an ending. One letter would name every plural."""
MIN_STEM = 2
"""Letters that a word must have before its ending."""
BEGINNING = 4
"""Letters by which words of one first letter are told apart: dance and dancer are one beginning."""
NEED_FORM = 0.9
"""Share of the rows that a first letter, an ending or a place in the text must have to be one."""
NEED_TOKEN = 0.8
"""Share of the rows whose strongest token is the same, or whose word is, to be a feature of it."""
NEED_RIVAL = 0.75
"""Share of the rows by which an ending explains a concept that no more of the rows have."""
NEED_SPELLED = 0.5
"""Share of the rows by which an ending explains that words are near one another."""
NEED_DIFFERENT = 6
"""Distinct word types that bear a form, of letters distinct beginnings of their lemmas: dance,
dancer and dancing do not show a letter."""
COMPOUND = 3
"""Letters of a word whose compounds are features of the word and not of a piece."""
LEAST = 5
"""Rows from which a form can be told."""
PLACES = {"start": "first word of the text", "stop": "last word of the text"}


class Spelled(NamedTuple):
    """Words and tokens of occurrences as codes, -1 of none."""

    word: np.ndarray
    """(occurrence,) the word, case-folded, without marks."""
    words: list[str]
    type: np.ndarray
    """(occurrence,) its word type."""
    letter: np.ndarray
    """(word,) its first letter."""
    letters: list[str]
    beginning: np.ndarray
    """(type,) the first `BEGINNING` letters of its lemma."""
    beginnings: list[str]
    endings: tuple[np.ndarray, ...]
    """(word,) its last letters, by `LENGTHS`."""
    stems: tuple[np.ndarray, ...]
    """(type,) the last letters of its lemma, by `LENGTHS`: those of dancers are -er as well."""
    names: list[str]
    """Endings by code."""


def spelled(of: Occurrences, type_: np.ndarray, lemmas: Sequence[str]) -> Spelled:
    """The words of occurrences as codes. type_: (occurrence,) word types; lemmas: (type,)."""
    every, word = _codes([normal(word) for word in of.word])
    letters, letter = _codes([word[:1] if word[:1].isalpha() else "" for word in every])
    beginnings, beginning = _codes([lemma[:BEGINNING] for lemma in lemmas])
    ends = [_ending(word, length) for length in LENGTHS for word in (*every, *lemmas)]
    names, code = _codes(ends)
    parts = np.split(code, len(LENGTHS))
    return Spelled(
        word,
        every,
        type_,
        letter,
        letters,
        beginning,
        beginnings,
        tuple(part[: len(every)] for part in parts),
        tuple(part[len(every) :] for part in parts),
        names,
    )


def _codes(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Distinct texts in the order of the alphabet, and each text as a number, -1 of empty ones."""
    known = sorted(set(texts) - {""})
    place = {text: number for number, text in enumerate(known)} | {"": -1}
    return known, np.array([place[text] for text in texts], np.int64)


def _ending(word: str, length: int) -> str:
    """The last letters of a word; nothing where they are no letters or leave too short a stem."""
    ending = word[-length:]
    return ending if len(word) >= length + MIN_STEM and ending.isalpha() else ""


class Commonest(NamedTuple):
    """The commonest value of the rows of each feature."""

    code: np.ndarray
    """(row,) -1 where no row has one; ties by the smaller code."""
    n: np.ndarray
    """(row,) rows that have it."""
    different: np.ndarray
    """(row,) distinct values of another column among these."""


def commonest(owner: np.ndarray, code: np.ndarray, other: np.ndarray, n: int) -> Commonest:
    """The commonest code of each of n owners. owner, code, other: (entry,); codes of -1 do not
    count."""
    kept = code >= 0
    owner, code, other = owner[kept], code[kept], other[kept]
    best, most, different = np.full(n, -1), np.zeros(n, np.int64), np.zeros(n, np.int64)
    if not len(owner):
        return Commonest(best, most, different)
    width = int(code.max()) + 1
    keys, counts = runs(np.sort(owner * width + code))
    holder = keys // width
    first = np.flatnonzero(np.diff(holder, prepend=-1))
    largest = np.maximum.reduceat(counts, first)
    size = np.diff(np.append(first, len(holder)))
    # Keys ascend, so that the first one of the largest count has the smallest code.
    hits = np.flatnonzero(counts == np.repeat(largest, size))
    hits = hits[np.diff(holder[hits], prepend=-1) != 0]
    best[holder[first]], most[holder[first]] = keys[hits] - holder[first] * width, largest
    on = code == best[owner]
    span = int(other.max()) + 1
    pairs = distinct(owner[on] * span + other[on])
    different[:] = np.bincount(pairs // span, minlength=n)
    return Commonest(best, most, different)


def runs(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys and how often each stands there. keys: ascending, none of them negative."""
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.diff(np.append(first, len(keys)))


def distinct(keys: np.ndarray) -> np.ndarray:
    """Distinct keys, none of them negative, ascending; `np.unique` without counts is slower."""
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=-1) != 0]


def forms(shown: Fired, row: np.ndarray, n: int, of: Occurrences, by: Spelled) -> dict[str, Any]:
    """The forms of n features, (row,) each, by column name.

    shown: their strongest occurrences; row: (entry,) the feature's row. Columns: n_shown; letter,
    n_letter, the first letter, or the first four of a family of words; ending, n_ending, the
    longest ending that enough rows bear, else the commonest; n_start, n_stop; word, n_word, the
    commonest word type, as it is said most, and its rows; form in words, null where there is none;
    form_kind letter, ending, position or null.
    """
    word, type_ = by.word[shown.occurrence], by.type[shown.occurrence]
    n_shown = np.bincount(row, minlength=n)
    at = np.where(word >= 0, word, 0)

    def of_words(codes: np.ndarray) -> np.ndarray:
        return np.where(word >= 0, codes[at] if len(codes) else -1, -1)

    letter = commonest(row, of_words(by.letter), by.beginning[type_], n)
    begun = commonest(row, np.where(word >= 0, by.beginning[type_], -1), type_, n)
    need = np.maximum(np.ceil(NEED_FORM * n_shown - 1e-9), LEAST)
    endings = [commonest(row, of_words(codes), type_, n) for codes in by.endings]
    stems = [commonest(row, codes[type_], type_, n) for codes in by.stems]
    ending = _longest(endings, need)
    ending = _where(_longest(stems, need), ending, lambda a, b: a.n > b.n)
    edge = {name: np.bincount(row, getattr(of, name)[shown.occurrence], n) for name in PLACES}
    typed = np.where(word >= 0, type_, -1)
    types = commonest(row, typed, typed, n)
    of_type = np.where(type_ == types.code[row], word, -1)
    words = commonest(row, of_type, of_type, n)
    ends = (ending.n >= need) & (ending.different >= NEED_DIFFERENT)
    starts = (letter.n >= need) & (letter.different >= NEED_DIFFERENT)
    family = (begun.n >= np.maximum(NEED_TOKEN * n_shown - 1e-9, LEAST)) & (begun.different > 1)
    ends &= ~starts | (ending.n >= letter.n)
    form, kind = np.full(n, None, object), np.full(n, None, object)
    for name, words_for in PLACES.items():
        # Where most words stand there anyway, it says nothing.
        usual = getattr(of, name).mean() if of.n else 1.0
        placed = (edge[name] >= need) & (usual <= 0.5)
        form[placed], kind[placed] = words_for, "position"
    form[starts] = [f'starts with "{by.letters[code]}"' for code in letter.code[starts]]
    kind[starts] = "letter"
    form[ends] = [f'ends with "{by.names[code]}"' for code in ending.code[ends]]
    kind[ends] = "ending"
    form[family] = [f'starts with "{by.beginnings[code]}"' for code in begun.code[family]]
    kind[family] = "letter"
    return {
        "n_shown": n_shown,
        "letter": np.where(
            family, _named(by.beginnings, begun.code), _named(by.letters, letter.code)
        ),
        "n_letter": np.where(family, begun.n, letter.n),
        "ending": _named(by.names, ending.code),
        "n_ending": ending.n,
        "rival": (ending.n >= NEED_RIVAL * n_shown - 1e-9) & (ending.different >= NEED_DIFFERENT),
        "spelled": (ending.n >= NEED_SPELLED * n_shown - 1e-9)
        & (ending.different >= NEED_DIFFERENT),
        "ending_form": np.array(
            [f'ends with "{by.names[code]}"' if code >= 0 else None for code in ending.code], object
        ),
        "n_start": edge["start"].astype(np.int64),
        "n_stop": edge["stop"].astype(np.int64),
        "word": _named(by.words, words.code),
        "n_word": types.n,
        "form": form,
        "form_kind": kind,
    }


def _where(
    one: Commonest, other: Commonest, better: Callable[[Commonest, Commonest], np.ndarray]
) -> Commonest:
    """The one where it is better, else the other."""
    is_better = better(one, other)
    return Commonest(*(np.where(is_better, a, b) for a, b in zip(one, other, strict=True)))


def _longest(endings: Sequence[Commonest], need: np.ndarray) -> Commonest:
    """The longest ending that enough rows bear; where none is, the commonest, of equal ones the
    longest."""
    best = endings[0]
    for longer in endings[1:]:
        best = _where(
            longer,
            best,
            lambda a, b: ((a.n >= need) | ((b.n < need) & (a.n >= b.n))) & (a.code >= 0),
        )
    return best


def _named(names: Sequence[str], codes: np.ndarray) -> np.ndarray:
    """Names of codes (row,), None where negative."""
    return np.array([*names, None], object)[codes]


def tokens_of(
    shown: Fired,
    row: np.ndarray,
    n: int,
    text: Sequence[str],
    type_: np.ndarray,
    lemmas: Sequence[str],
) -> Mapping[str, np.ndarray]:
    """The commonest strongest token of n features: token, n_token, and n_token_types, the word
    types that it stands in; token_type, the type that it is itself, -1 of none; is_word, True where
    some of the rows have this word. text: (token,) of the corpus; type_: (occurrence,); lemmas:
    (type,)."""
    used, place_of = np.unique(shown.token, return_inverse=True)
    every, code = _codes([normal(text[at]) for at in used])
    code = code[place_of]
    common = commonest(row, code, type_[shown.occurrence], n)
    token = _named(every, common.code)
    # A piece that is a word itself: dance in danceoff and dancing, not ham in hamster.
    place = {lemma: number for number, lemma in enumerate(lemmas)}
    own = np.array([place.get(one, -1) for one in token], np.int64)
    said = np.bincount(row, own[row] == type_[shown.occurrence], n)
    long = np.array([len(one or "") >= COMPOUND for one in token], bool)
    return {
        "token": token,
        "n_token": common.n,
        "n_token_types": common.different,
        "token_type": own,
        "is_word": (own >= 0) & (said > 0) & long,
    }


COUNTED = {
    "word": ("n_word", "n_token"),
    "token": ("n_token",),
    "letter": ("n_letter",),
    "ending": ("n_ending",),
    "position": ("n_start", "n_stop"),
}
"""Columns that count the rows of a form: a word may be a piece of its compounds, a place the first
or the last one of a text; the larger number is that of the label."""


def bearing(row: Mapping[str, Any]) -> int:
    """The rows of a feature that bear its form, from its row of concepts.parquet."""
    return max(row[column] for column in COUNTED[row["kind"]])
