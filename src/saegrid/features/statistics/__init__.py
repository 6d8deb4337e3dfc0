"""Statistics: a number for each feature, computed from its activations on the masked tokens.

A new one is one file here and one line below. It is a column of features.parquet then, and on the
page of features an entry with its definition and an order of the list, largest first.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from saegrid.base.registry import pick

STATISTICS = {
    "mean_activation": "saegrid.features.statistics.mean_activation:STATISTIC",
}
"""Statistics by name, each a `Statistic`, in the order in which their columns stand."""


class Statistic(NamedTuple):
    """A number for each feature, with what the page says of it."""

    name: str
    """Name of its column in features.parquet; in words, the name of its order of the list."""
    heading: str
    """Name of the number on the page."""
    words: str
    """Definition."""
    form: Literal["number", "percent"]
    """Form in which the page writes the number."""
    of: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Function of the activations (entry,) float32, grouped by feature and in the order of their
    tokens, and of the number of entries of each feature (feature,) int64, all above zero. It
    returns (feature,) float64: finite, or NaN where a feature has no such number. A feature is
    given whole, and how many others are given with it must decide nothing. Both arguments are
    read-only."""

    def numbers(self, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The number of each feature (feature,) float64; ValueError where `of` gives others."""
        numbers = np.asarray(self.of(values, counts), np.float64)
        if numbers.shape != counts.shape or np.isinf(numbers).any():
            got = f"shape {numbers.shape}" if numbers.shape != counts.shape else "an infinite one"
            raise ValueError(
                f"The statistic {self.name} must give {len(counts)} numbers, one a feature, each "
                f"finite or NaN; got {got}. Mend the function in its file."
            )
        return numbers

    def shown(self) -> dict[str, str]:
        """The facts with which the page shows the column: name, heading, words and form."""
        return {"name": self.name, "heading": self.heading, "words": self.words, "form": self.form}


def registered() -> list[Statistic]:
    """All statistics, in the order of their columns."""
    return [pick(STATISTICS, name, "statistic") for name in STATISTICS]


def starts(counts: np.ndarray) -> np.ndarray:
    """The first entry of each feature (feature,) int64, from their numbers of entries (feature,).

    With it `np.add.reduceat(values, starts(counts), dtype=np.float64)` sums each feature.
    """
    return np.cumsum(counts, dtype=np.int64) - counts
