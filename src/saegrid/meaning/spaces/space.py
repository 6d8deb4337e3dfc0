"""A word space: vectors of word types, and the files that they are read from."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from saegrid.text.lexicons.membership import WordType


class Space(NamedTuple):
    """An entry of `SPACES`."""

    vectors: Callable[[Sequence[WordType]], np.ndarray]
    """(type, dimension) float32 vectors of word types, of length one, or 0 of one that the space
    lacks."""
    files: tuple[str, ...] = ()
    """Files whose bytes decide these, beside WordNet's table; paths as `expand` takes them."""


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one, float32; rows of nothing but rounding are 0."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    some = length > 1e-9
    return np.where(some, rows / np.where(some, length, 1), 0).astype(np.float32)
