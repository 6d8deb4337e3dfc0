"""What a layout gets and gives back, and the rows that layouts share.

Tokens are numbered through all texts in text order; special k is written -1 - k.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Plan(NamedTuple):
    """The texts to lay out and what stands around them."""

    indptr: np.ndarray
    """(text + 1,) the first token of each text, and the number of tokens."""
    items: np.ndarray
    """The edited or plain texts, in item order."""
    originals: np.ndarray
    """The original texts of `items`, in the order in which the corpus first has them."""
    kept_items: np.ndarray
    """Those of `items` that the filter keeps."""
    kept_originals: np.ndarray
    """The original texts of `kept_items`, in the same order."""
    prefix: tuple[int, ...]
    """The specials that open a row."""
    suffix: tuple[int, ...]
    """The specials that close a row of one text."""
    eos: int | None
    """The special that ends a text in a stream."""
    row_length: int
    """Positions of a packed row."""


class Placement(NamedTuple):
    """Arrays with one entry a model input position, in table order, and facts to report."""

    source: np.ndarray
    """int64: the token that stands there, or -1 - k for special k."""
    text: np.ndarray
    """int64: the text it belongs to; -1 for what belongs to no text."""
    row: np.ndarray
    """int64, never falling."""
    position: np.ndarray
    """int64, in the row."""
    facts: Mapping[str, int]


def text_rows(
    indptr: np.ndarray,
    texts: np.ndarray,
    prefix: tuple[int, ...],
    suffix: tuple[int, ...],
) -> Placement:
    """Each text its own row: prefix, tokens, suffix."""
    lengths = np.diff(indptr)[texts]
    sizes = lengths + len(prefix) + len(suffix)
    row = np.repeat(np.arange(len(texts)), sizes)
    position = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    inside = position - len(prefix)
    beyond = inside - lengths[row]
    source = indptr[texts][row] + inside
    for number, special in enumerate(prefix):
        source[position == number] = special
    for number, special in enumerate(suffix):
        source[beyond == number] = special
    return Placement(source, texts[row], row, position, {})


def stack(upper: Placement, lower: Placement) -> Placement:
    """The rows of `upper`, then the rows of `lower`, numbered through; facts of both."""
    first = upper.row[-1] + 1 if len(upper.row) else 0
    return Placement(
        np.concatenate([upper.source, lower.source]),
        np.concatenate([upper.text, lower.text]),
        np.concatenate([upper.row, lower.row + first]),
        np.concatenate([upper.position, lower.position]),
        {**upper.facts, **lower.facts},
    )
