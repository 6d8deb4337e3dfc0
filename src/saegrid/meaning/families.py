"""Families of words: those that share their first part, fire, firearm and fireplace.

A feature of the piece that begins a word fires on all that begins with it, whatever these words
mean. Words of one family are one word, and this word is of a concept only where at least half of
the family is: cheese and cheesecake are food, but fire, firearm and fireplace are no phenomena.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

SHORT = 3
"""Letters of a word whose compounds belong to its family: car and carpool."""


def beginnings(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(type,) the first `SHORT` letters of each lemma as a code, and whether these are all."""
    _, code = np.unique([name[:SHORT] for name in names], return_inverse=True)
    return code.astype(np.int64).reshape(-1), np.array([len(name) == SHORT for name in names], bool)


def families(counts: sparse.csr_matrix, beginning: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(entry,) int64 the family of each type among the rows of a feature.

    counts: (feature, type). Types of one beginning (`kinds.Spelled.beginning`) are one family, and
    so are all that begin with a word of three letters that is among the rows. beginning: (type,).
    """
    short, whole = beginnings(names)
    owner = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    type_, width = counts.indices, int(short.max(initial=0)) + 1
    key = owner * width + short[type_]
    said = np.isin(key, key[whole[type_]])
    return np.where(said, short[type_] + beginning.max(initial=0) + 2, beginning[type_] + 1)


def by_half(inside: np.ndarray, size: np.ndarray) -> np.ndarray:
    """True where at least half of the words of a family are inside."""
    return 2 * inside >= size
