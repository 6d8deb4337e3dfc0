"""The word types of a corpus, the concepts that they belong to, and their places in a word space.

All cells of a study share it, and so do the permutations under which chance is counted.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Concept(NamedTuple):
    """A concept of a lexicon."""

    name: str
    title: str
    lexicon: str


class Vocabulary(NamedTuple):
    """The word types of the occurrences of a corpus."""

    type: np.ndarray
    """(occurrence,) int32 word types."""
    names: Sequence[str]
    """(type,) the lemma of each."""
    concepts: Sequence[Concept]
    member: np.ndarray
    """(type, concept) bool."""
    category: np.ndarray
    """(type,) int32: the one concept of the lexicon that gives every word its first sense, -1 of
    none. These cut the types into parts, over which entropies are taken."""
    vectors: Mapping[str, np.ndarray]
    """(type, dimension) float32 by word space, of length one, or 0 of a type that it lacks."""

    @property
    def n(self) -> int:
        """Number of word types."""
        return len(self.names)

    def with_a_concept(self) -> "Vocabulary":
        """The vocabulary; one whose words no lexicon knows has a nameless concept without words."""
        if self.concepts:
            return self
        return self._replace(concepts=[Concept("", "", "")], member=np.zeros((self.n, 1), bool))
