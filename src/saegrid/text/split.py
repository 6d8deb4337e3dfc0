"""Which tokens an SAE never learns from: whole texts, chosen by a hash of their number.

A text is held out or not whatever else is there, so that a corpus may grow, come in parts or be
read in any order. Texts that say nearly the same, such as an original and its edits, and pieces of
one long text share a number: else what is held out would have been learned from after all.
"""

import numpy as np


def held_out(row: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(token,) bool: whether the tokens of these rows or texts (token,) int64 are held out.

    All tokens of one fall on one side. The share holds for these, in the mean.

    Raises ValueError where the share does not lie in 0..1, below 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"The share that is held out must lie in 0..1, below 1; got {share}.")
    mixed = mix(np.asarray(row).astype(np.uint64) + mix(np.array([seed], np.uint64)))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 < share


def texts_of(row: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(token,) int64: the number by which each token is held out: of the first row of its text.

    row, group: (token,) of tokens.parquet, rows in order; group -1 belongs to no text. A row falls
    on one side as a whole, since its tokens have seen each other: of packed rows the first text
    decides, and one that a row end cuts may lie on both. Where every text has one row, and there is
    no other like it, this is the row: as of a store, which knows texts by their number alone.
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
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): 64 bits to 64 bits, one to one."""
    with np.errstate(over="ignore"):
        value = value + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))
