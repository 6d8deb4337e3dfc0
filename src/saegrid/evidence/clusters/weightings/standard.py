"""Columns divided by their standard deviation, so that each counts the same.

It suits dense columns. A rare feature would count as much as one that tells half of the texts
apart, so that codes have `idf`.
"""

import numpy as np

from saegrid.evidence.clusters.weighting import Columns, Weighting, deviations


def weights(columns: Columns, density: np.ndarray) -> np.ndarray:
    """1 / sd of each column; 0 where it does not vary."""
    sd = deviations(columns)
    return np.where(sd > 0, 1 / np.where(sd > 0, sd, 1), 0.0)


STANDARD = Weighting(weights, False, "columns divided by their standard deviation")
