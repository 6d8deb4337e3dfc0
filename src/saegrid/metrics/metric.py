"""The interface of metrics: their subject, their input, and their values."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.words import Site
from saegrid.codes.sparse import Features
from saegrid.saes.sae import SAE


class MetricsError(ValueError):
    """An error of a measurement that cannot be made; the message says what to change."""


class Value(NamedTuple):
    """A number with its count and its definition."""

    value: float | None
    """The number; None where it cannot be measured."""
    n: int
    """Number of tokens, pairs or features that the value comes from."""
    definition: str
    because: str = ""
    """Reason why there is no value."""

    def as_json(self) -> dict[str, Any]:
        """The value, n, definition, and `because` if there is no value, as JSON values."""
        return {key: value for key, value in self._asdict().items() if value != ""}


Values = dict[str, Value]
NO_ROWS = "metrics.rows is 0, or no row that is held out has two tokens"
"""Reason why a subject has no text."""


class Block(NamedTuple):
    """Some tokens with their reconstruction and their codes."""

    x: np.ndarray
    """(token, d_out) float64: activations that are reconstructed (`saes.sae.as_compared`): those
    that the SAE reads, raw or centred, or those of the site that a transcoder writes."""
    x_hat: np.ndarray
    """(token, d_out) float64: their reconstruction."""
    z: Features
    """Codes of the tokens, which are numbered from 0."""


class Text(NamedTuple):
    """Rows of tokens that the model reads with the SAE in its place."""

    ids: np.ndarray
    """(token,) int64: token ids of the corpus."""
    starts: np.ndarray
    """(row + 1,) int64: first token of each row, and the number of tokens."""
    special: np.ndarray
    """(token,) bool: True where a token is special and not encoded."""
    chosen: np.ndarray
    """(n,) int64: numbers of the rows that are read."""


class Subject(NamedTuple):
    """The SAE to be measured, with its data and settings."""

    sae: SAE
    mean: np.ndarray
    """(d_out,) float64: mean of the tokens it may have learned from, as they are reconstructed."""
    reconstruct: Callable[[np.ndarray], np.ndarray]
    """Function of stored activations (token, d_model) that returns x_hat (token, d_out) float64 in
    their place, or in that of the site that a transcoder writes."""
    site: Site
    """Site that the SAE reads."""
    seed: int = 0
    text: Text | str = NO_ROWS
    """Rows for the language model, or the reason why there are none."""
    model: Mapping[str, Any] = {}
    """Settings of the language model, for the text."""
    memory_mb: int = 6000
    """Megabytes that the model may hold."""
    threads: int = 1
    ids: np.ndarray | None = None
    """(token,) int64: ids of the tokens measured, in order; None where activations are means over
    several tokens."""


class Metric:
    """A family of numbers, which gets all tokens block by block and then returns its values.

    Sums are float64, in the order of the blocks.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def add(self, block: Block) -> None:
        """Add a block of tokens; a metric that does not depend on them does nothing."""

    def values(self) -> Values:
        """The values by name."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Further entries of metrics.json by name, which are no numbers."""
        return {}
