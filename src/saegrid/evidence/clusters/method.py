"""The interface of methods of clustering, and the numbering of clusters."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

NOWHERE = -1
"""The label of rows that are in no cluster."""


class Method(NamedTuple):
    """A method of clustering."""

    fit: Callable[[np.ndarray, int, int, int], np.ndarray]
    """Function of (row, component) float64 rows, number of clusters, smallest cluster and seed, to
    (row,) int64 labels, `NOWHERE` for rows that are in no cluster."""
    counted: bool
    """True where the number of clusters is asked for; else the method finds it."""
    words: str


def numbered(labels: np.ndarray) -> np.ndarray:
    """(row,) int64: the same clusters, numbered from 0, the largest first, ties by first row."""
    names, first, number, count = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    inside = np.flatnonzero(names != NOWHERE)
    order = inside[np.lexsort((first[inside], -count[inside]))]
    place = np.full(len(names), NOWHERE, np.int64)
    place[order] = np.arange(len(order))
    return place[number]


def number_of(labels: np.ndarray) -> int:
    """Number of clusters."""
    return int(labels.max(initial=NOWHERE)) + 1
