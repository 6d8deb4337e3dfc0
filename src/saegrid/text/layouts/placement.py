"""The interface of layouts, `Plan` and `Placement`, and the rows that layouts share.

Tokens are numbered through all texts in text order; special k is written -1 - k.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from saegrid.text.wrapped import Around


class Plan(NamedTuple):
    """The texts to lay out, with the special tokens around them."""

    indptr: np.ndarray
    """(text + 1,): first token of each text, and the number of tokens."""
    items: np.ndarray
    """Numbers of the edited or plain texts, in item order."""
    originals: np.ndarray
    """Numbers of the original texts of `items`, in the order of their first item."""
    kept_items: np.ndarray
    """Numbers of those `items` that the filter keeps."""
    kept_originals: np.ndarray
    """Numbers of the original texts of `kept_items`, in the order of their first item."""
    prefix: tuple[int, ...]
    """Special tokens that open a row of several texts."""
    before: Around
    """Tokens that stand before each text in a row of its own."""
    after: Around
    """Tokens that stand after each text in a row of its own."""
    eos: int | None
    """Special token that ends a text in a stream, or None."""
    row_length: int
    """Number of positions of a packed row."""


class Placement(NamedTuple):
    """The placed tokens: arrays with one entry a model input position, in table order, and
    facts."""

    source: np.ndarray
    """int64: number of the token at the position, or -1 - k for special k."""
    text: np.ndarray
    """int64: number of the token's text; -1 for tokens of no text."""
    row: np.ndarray
    """int64: number of the row, never descending."""
    position: np.ndarray
    """int64: position in the row."""
    facts: Mapping[str, int]


def text_rows(indptr: np.ndarray, texts: np.ndarray, before: Around, after: Around) -> Placement:
    """The placement of each text in its own row, with the tokens around it."""
    lengths, opening = np.diff(indptr)[texts], before.sizes[texts]
    sizes = opening + lengths + after.sizes[texts]
    row = np.repeat(np.arange(len(texts)), sizes)
    position = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    inside = position - opening[row]
    source = indptr[texts][row] + inside
    head, tail = inside < 0, inside >= lengths[row]
    source[head] = before.at(texts[row[head]], position[head])
    source[tail] = after.at(texts[row[tail]], (inside - lengths[row])[tail])
    return Placement(source, texts[row], row, position, {})


def stack(upper: Placement, lower: Placement) -> Placement:
    """The rows of `upper` and then those of `lower`, numbered through, with the facts of both."""
    first = upper.row[-1] + 1 if len(upper.row) else 0
    return Placement(
        np.concatenate([upper.source, lower.source]),
        np.concatenate([upper.text, lower.text]),
        np.concatenate([upper.row, lower.row + first]),
        np.concatenate([upper.position, lower.position]),
        {**upper.facts, **lower.facts},
    )
