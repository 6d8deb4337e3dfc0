"""The mean activation of a feature."""

import numpy as np

from saegrid.features.statistics import Statistic, starts


def mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean of the activations of each feature (feature,) float64.

    values: (entry,) float32, grouped by feature; counts: (feature,), entries of each.
    """
    return np.add.reduceat(values, starts(counts), dtype=np.float64) / counts


STATISTIC = Statistic(
    "mean_activation",
    "mean",
    "mean activation of the active tokens that are counted",
    "number",
    mean,
)
