"""Weights of sparse codes: activation over the feature's largest, times the log of its rarity.

    w = z / max z * ln(1 / density),   density: share of tokens on which the feature fires

and each text has length one then. It is the tf-idf of words with a feature in the place of a word.
The share is one of tokens: in a long text nearly every feature fires once, so that shares of texts
say nothing. A feature that always fires has weight 0, and a rare one is raised by a logarithm
alone, where a division by its standard deviation would raise it without bound.
"""

import numpy as np
from scipy import sparse

from saegrid.evidence.clusters.weighting import Columns, Weighting


def weights(columns: Columns, density: np.ndarray) -> np.ndarray:
    """ln(1 / density) / max |z| of each column; 0 where it is silent."""
    if sparse.issparse(columns):
        largest = abs(columns).max(axis=0).toarray().ravel()
    else:
        largest = np.abs(columns).max(axis=0)
    alive = (largest > 0) & (density > 0)
    rarity = -np.log(np.where(alive, density, 1.0))
    return np.where(alive, rarity / np.where(alive, largest, 1.0), 0.0)


IDF = Weighting(
    weights,
    True,
    "activations over the feature's largest, times ln(1 / share of tokens on which it fires), each "
    "text at length one",
)
