"""The interface of conventions: the one vector that stands for a text of several tokens."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from saegrid.base.tensors import widen
from saegrid.codes.sparse import feature_ranges

BLOCK = 8192
"""Tokens that are read at a time; it decides about no byte."""


class Rows(NamedTuple):
    """Activations of the tokens of texts."""

    x: np.ndarray
    """(row, channel) as stored; it need not hold these tokens alone."""
    place: np.ndarray
    """(token,) int64 rows of x, those of one text side by side and in order."""
    indptr: np.ndarray
    """(text + 1,) int64: first token of each text, and the number of tokens; none is empty."""


class Convention(NamedTuple):
    """A rule by which a text has a vector."""

    definition: str
    """The rule in words."""
    vectors: Callable[[Rows], np.ndarray]
    """Function of the activations that gives (text, channel) float64."""
    padded: bool = False
    """True if its texts are read in rows of one length, see `padded`; else as the study reads
    them."""


def means(rows: Rows) -> np.ndarray:
    """(text, channel) float64 means over the tokens of each text, (1 / n) sum x."""
    counts = np.diff(rows.indptr)
    out = np.empty((len(counts), rows.x.shape[1]))
    for start, stop in feature_ranges(rows.indptr, BLOCK):
        first, last = rows.indptr[start], rows.indptr[stop]
        x = widen(rows.x[rows.place[first:last]]).astype(np.float64)
        out[start:stop] = np.add.reduceat(x, rows.indptr[start:stop] - first, axis=0)
    return out / counts[:, None]


def lasts(rows: Rows) -> np.ndarray:
    """(text, channel) float64 of the last token of each text."""
    return widen(rows.x[rows.place[rows.indptr[1:] - 1]]).astype(np.float64)
