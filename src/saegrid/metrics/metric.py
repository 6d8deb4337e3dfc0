"""What a metric gets, and what it gives."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.words import Site
from saegrid.codes.sparse import Features
from saegrid.saes.sae import SAE


class MetricsError(ValueError):
    """What cannot be measured; the message says what to change."""


class Value(NamedTuple):
    """A number, with what it was counted on and what it means."""

    value: float | None
    """None where it cannot be measured."""
    n: int
    """Tokens, pairs or features that it comes from."""
    definition: str
    because: str = ""
    """Why there is none."""

    def as_json(self) -> dict[str, Any]:
        """value, n, definition, and because where there is no value."""
        return {key: value for key, value in self._asdict().items() if value != ""}


Values = dict[str, Value]
NO_ROWS = "metrics.rows is 0, or no row that is held out has two tokens"
"""Why there is no text."""


class Block(NamedTuple):
    """Some tokens: what went in, what came out."""

    x: np.ndarray
    """(token, d_model) float64 activations as the SAE reads them: raw, or centred."""
    x_hat: np.ndarray
    """(token, d_model) float64 reconstruction."""
    z: Features
    """Their codes, tokens numbered from 0."""


class Text(NamedTuple):
    """Rows of tokens that the model reads with the SAE in its place."""

    ids: np.ndarray
    """(token,) int64 token ids of the corpus."""
    starts: np.ndarray
    """(row + 1,) int64: first token of each row, and the number of tokens."""
    special: np.ndarray
    """(token,) bool: not encoded."""
    chosen: np.ndarray
    """(n,) int64: the numbers of the rows that are read."""


class Subject(NamedTuple):
    """What is measured."""

    sae: SAE
    mean: np.ndarray
    """(d_model,) float64: mean of the tokens it may have learned from, as the SAE reads them."""
    reconstruct: Callable[[np.ndarray], np.ndarray]
    """Stored activations (token, d_model) to x_hat (token, d_model) float64 in their place."""
    site: Site
    seed: int = 0
    text: Text | str = NO_ROWS
    """Why there is none, where there is none."""
    model: Mapping[str, Any] = {}
    """Settings of the language model, for the text."""
    memory_mb: int = 6000
    """Megabytes that the model may hold."""
    threads: int = 1
    ids: np.ndarray | None = None
    """(token,) int64: token ids of the tokens measured, in order; None where they are no token's
    own activations."""


class Metric:
    """A family of numbers: told of all tokens, block by block, then asked for its values.

    Sums are float64, in the order of the blocks.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def add(self, block: Block) -> None:
        """Some more tokens; nothing to do for what does not depend on them."""

    def values(self) -> Values:
        """The numbers by name."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """What else stands in metrics.json, by name: what is no number."""
        return {}
