"""Words by their company in other texts and by what WordNet puts above them, both at once.

The cosine of two words that both spaces have is `GLOVE` of GloVe's and the rest of WordNet's.
"""

from collections.abc import Sequence

import numpy as np

from saegrid.meaning.spaces import glove, wordnet
from saegrid.meaning.spaces.space import Space, unit
from saegrid.text.lexicons.membership import WordType

GLOVE = 0.8
"""Share of GloVe's cosine."""
DIMENSIONS = 50
"""Main directions of WordNet's that are kept."""


def vectors(types: Sequence[WordType]) -> np.ndarray:
    """(type, dimension) float32 vectors."""
    company, above = glove.vectors(types), unit(wordnet.vectors(types)[:, :DIMENSIONS])
    return unit(np.hstack([company * GLOVE**0.5, above * (1 - GLOVE) ** 0.5]))


SPACE = Space(vectors, glove.SPACE.files)
