"""Families of words: those that share their first part, fire, firearm and fireplace.

A feature of the piece that begins a word fires on all that begins with it, whatever these words
mean. Words of one family are one word, and this word is of a concept only where at least half of
the family is: cheese and cheesecake are food, but fire, firearm and fireplace are no phenomena.
A short piece is a first part as well: where a feature fires on mascot, mascara and masseuse after
`mas`, it has seen that and no more. A piece that is no word means nothing, so that all of its words
must be of the concept: mascara is no person, and then mascots and masseuses are no evidence either.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.meaning.occurrences import Fired, Occurrences
from saegrid.text.wordlists import normal

SHORT = 3
"""Letters of a word whose compounds belong to its family: car and carpool. Of a piece as well:
longer ones are told apart by `kinds.BEGINNING`."""


class Families(NamedTuple):
    """The families of the types among the rows of features."""

    number: np.ndarray
    """(entry,) int64 the family of each entry of `Rows.counts`."""
    of_piece: np.ndarray
    """(entry,) bool: a family by a short piece that is no word, which is of a concept only as a
    whole."""


class Parts(NamedTuple):
    """The first parts of words, up to the end of the piece on which a feature fires most."""

    names: list[str]
    """Parts of at most `SHORT` letters that are not the whole word."""
    code: np.ndarray
    """(row,) int64 the part of each occurrence in `names`, -1 of longer ones and whole words."""


def first_parts(shown: Fired, of: Occurrences, text: Sequence[str]) -> Parts:
    """The first parts of the words of occurrences. text: (token,) of the corpus."""
    hit = np.zeros(len(of.token), bool)
    hit[shown.token] = True
    used = np.flatnonzero(hit)
    opens = np.flatnonzero((of.token >= 0) & (np.diff(of.token, prepend=-1) != 0))
    first = np.zeros(of.n, np.int64)
    first[of.token[opens]] = opens
    parts = [
        _part(of.word[at], text[first[at] : token + 1])
        for token, at in zip(used.tolist(), of.token[used].tolist(), strict=True)
    ]
    names = sorted(set(parts) - {""})
    number = {name: code for code, name in enumerate(names)} | {"": -1}
    code = np.full(len(of.token), -1, np.int64)
    code[used] = [number[part] for part in parts]
    return Parts(names, code[shown.token])


def _part(word: str, pieces: Sequence[str]) -> str:
    """The letters of some first pieces of a word; nothing where they are many or all."""
    # Of an edit of several words the last one counts.
    part, whole = normal("".join(pieces).rpartition(" ")[2]), normal(word)
    return part if len(part) <= SHORT and part != whole and whole.startswith(part) else ""


def families(
    counts: sparse.csr_matrix,
    beginning: np.ndarray,
    names: Sequence[str],
    row: np.ndarray,
    type_: np.ndarray,
    parts: Parts,
) -> Families:
    """The family of each type among the rows of a feature.

    Types that begin with a word of `SHORT` letters that is among the rows are one family; of the
    others those of the same short first part, and then those of one beginning.

    counts: (feature, type). beginning: (type,), `kinds.Spelled.beginning`. row, type_, parts: the
    feature, the word type and the first part of each occurrence.
    """
    short = [name[:SHORT] for name in names]
    known = sorted({*short, *parts.names})
    number = {name: code for code, name in enumerate(known)}
    code = np.array([number[name] for name in short], np.int64)
    whole = np.array([len(name) == SHORT for name in names], bool)
    owner = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    of_type, width = counts.indices, len(known) + 1
    key = owner * width + code[of_type]
    out = beginning[of_type] + len(known) + 1
    part = np.append([number[name] for name in parts.names], -1).astype(np.int64)[parts.code]
    some = np.flatnonzero(part >= 0)[::-1]  # of a type with two parts the stronger row's is last
    if len(some):
        place = np.searchsorted(
            owner * len(names) + of_type, row[some] * len(names) + type_[some].astype(np.int64)
        )
        out[place] = part[some]
    said = np.isin(key, key[whole[of_type]])
    is_word = np.append(np.isin(known, names), True)
    return Families(
        np.where(said, code[of_type], out), ~said & ~is_word[np.minimum(out, len(known))]
    )


def is_of(inside: np.ndarray, size: np.ndarray, of_piece: np.ndarray) -> np.ndarray:
    """True where at least half of the words of a family are inside, of a piece's family all."""
    return (2 - of_piece) * inside >= size
