"""The split into training and held-out tokens, by whole texts, chosen by a hash of their number.

The choice of a text does not depend on others, so that a corpus may grow, come in parts or be read
in any order. Texts that are nearly equal, such as an original and its edits, and pieces of one long
text share a number: otherwise an SAE would have learned from text that is held out.
"""

import numpy as np


def held_out(row: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(token,) bool: True where the row or text (token,) int64 of a token is held out.

    All tokens of a row or text fall on one side. The share is one of rows or texts, in the mean.

    Raises:
        ValueError: the share does not lie in 0..1, below 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"The share that is held out must lie in 0..1, below 1; got {share}.")
    mixed = mix(np.asarray(row).astype(np.uint64) + mix(np.array([seed], np.uint64)))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 < share


def texts_of(row: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(token,) int64: number by which each token is held out, that of the first row of its text.

    A row falls on one side as a whole, since its tokens have seen each other: the first text of a
    packed row decides, and a text that a row end cuts may lie on both sides. If every text has one
    row and a group of its own, this number is the row, as in a store, where it is that of the text.

    row, group: (token,), columns of tokens.parquet, rows in order; group -1 belongs to no text.
    """
    if not len(row):
        return row.astype(np.int64)
    starts = np.flatnonzero(np.diff(row, prepend=row[0] - 1))
    ends = np.append(starts[1:], len(row))
    owned = np.flatnonzero(group >= 0)
    first = np.append(owned, len(row))[np.searchsorted(owned, starts)]
    # A row without a text stands by itself.
    text = np.where(first < ends, group[np.minimum(first, len(row) - 1)], -1 - np.arange(len(ends)))
    _, earliest, known = np.unique(text, return_index=True, return_inverse=True)
    return np.repeat(row[starts[earliest[known]]].astype(np.int64), ends - starts)


def mix(value: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014), a bijection of 64 bits."""
    with np.errstate(over="ignore"):
        value = value + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))
