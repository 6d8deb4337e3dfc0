"""Sorting, numbering and drawing the entries of many features at once."""

import numpy as np


def number(sorted_keys: np.ndarray) -> np.ndarray:
    """(key,) how many equal keys stand before each, in an array where equal keys are together."""
    n = len(sorted_keys)
    opens = np.flatnonzero(np.diff(sorted_keys, prepend=-1))
    return np.arange(n) - np.repeat(opens, np.diff(np.append(opens, n)))


def order(group: np.ndarray, lot: np.ndarray) -> np.ndarray:
    """(entry,) the entries by group (entry,) int64, by lot (entry,) uint64, then as they stand.

    One sort of the group with the leading bits of the lot is much faster than np.lexsort, and
    nearly always right.
    """
    bits = np.uint64(63 - int(group.max(initial=0)).bit_length())
    key = (group.astype(np.uint64) << bits | lot >> (np.uint64(64) - bits)).astype(np.int64)
    placed = np.argsort(key, kind="stable")
    key, lots = key[placed], lot[placed]
    wrong = (key[1:] == key[:-1]) & (lots[1:] < lots[:-1])
    return np.lexsort((lot, group)) if wrong.any() else placed


def height(value: np.ndarray) -> np.ndarray:
    """(entry,) uint64 that ascend as the values (entry,) float32, all above zero."""
    return value.view(np.uint32).astype(np.uint64) << np.uint64(32)


def draw(
    seed: int, stream: int, feature: np.ndarray, place: np.ndarray, token: np.ndarray
) -> np.ndarray:
    """(entry,) uint64: evenly spread numbers that depend on seed, stream, feature and token.

    feature: (shown,) ids; place: (entry,) which of them an entry belongs to; token: (entry,).
    """
    lot = _mixed(np.full(len(feature), np.uint64(seed)), np.uint64(stream))
    return _mixed(_mixed(lot, feature)[place], token)


def _mixed(lot: np.ndarray, part: np.ndarray | np.uint64) -> np.ndarray:
    """Numbers (uint64) mixed with others, as splitmix64 does."""
    lot = (lot ^ part.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
    lot = (lot ^ (lot >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    lot = (lot ^ (lot >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return lot ^ (lot >> np.uint64(31))
