"""The tokens around each text, which belong to none: specials, or those of a chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from saegrid.text.tokenizer import Special


class Around(NamedTuple):
    """The tokens before each text, or after it, by their numbers -1 - k."""

    flat: np.ndarray
    """int64: numbers of the tokens, text by text."""
    indptr: np.ndarray
    """(text + 1,) int64: the first of each text."""

    @classmethod
    def same(cls, numbers: Sequence[int], n: int) -> Around:
        """One list of tokens around each of n texts."""
        flat = np.tile(np.array(numbers, dtype=np.int64), n)
        return cls(flat, np.arange(n + 1, dtype=np.int64) * len(numbers))

    @classmethod
    def of(cls, sides: Sequence[Sequence[Special]], number: Mapping[Special, int]) -> Around:
        """The tokens of each text, by their numbers."""
        flat = [number[token] for side in sides for token in side]
        lengths = [len(side) for side in sides]
        return cls(np.array(flat, dtype=np.int64), np.cumsum([0, *lengths], dtype=np.int64))

    @property
    def sizes(self) -> np.ndarray:
        """(text,) int64: number of tokens of each text."""
        return np.diff(self.indptr)

    def at(self, text: np.ndarray, place: np.ndarray) -> np.ndarray:
        """The numbers of tokens by text and place; 0 where a place lies outside."""
        inside = (place >= 0) & (place < self.sizes[text])
        numbers = np.zeros(len(text), dtype=np.int64)
        numbers[inside] = self.flat[self.indptr[text[inside]] + place[inside]]
        return numbers


class Wrapped(NamedTuple):
    """The tokens that stand around texts, and where."""

    tokens: list[Special]
    """The distinct ones; number k is written -1 - k."""
    before: Around
    after: Around

    def first(self) -> tuple[Special, ...]:
        """The tokens before the first text, if there is one."""
        return self._of(self.before)

    def last(self) -> tuple[Special, ...]:
        """The tokens after the first text, if there is one."""
        return self._of(self.after)

    def _of(self, side: Around) -> tuple[Special, ...]:
        numbers = side.flat[: side.indptr[1]] if len(side.indptr) > 1 else ()
        return tuple(self.tokens[-1 - number] for number in numbers)
