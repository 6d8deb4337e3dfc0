"""Numbers of features on the corpus, by which activations on other texts are judged.

    p99   = the smallest of its activations that 99 % of them do not exceed
    idf   = ln(captured tokens / those on which it fires)
    score = z / p99 x idf
    specificity = captured tokens on which it is silent / captured tokens

A feature that fires on fewer than `LEAST` tokens of the corpus has no p99 and no score: the largest
of a few numbers says little of the feature, and ln of a small count would put it first.
"""

from typing import NamedTuple

import numpy as np

from saegrid.codes.sparse import Features

SHARE = 0.99
LEAST = 20
"""Tokens of the corpus on which a feature must fire to have a score."""


class Known(NamedTuple):
    """Numbers of some features, (feature,) each."""

    n_active: np.ndarray
    """int64."""
    p99: np.ndarray
    """float64; NaN where it fires on too few tokens."""
    idf: np.ndarray
    """float64; NaN likewise."""
    specificity: np.ndarray
    """float64."""

    def scores(self, place: np.ndarray, z: np.ndarray) -> np.ndarray:
        """(entry,) float64: scores of activations z of the features at these places."""
        return z.astype(np.float64) / self.p99[place] * self.idf[place]


def known(codes: Features, features: np.ndarray, least: int = LEAST) -> Known:
    """The numbers of some features of a cell; of its codes only theirs are read."""
    n = np.diff(codes.indptr)[features]
    p99 = np.full(len(features), np.nan)
    for place in np.flatnonzero(n >= max(least, 1)):
        values = codes.of(int(features[place]))[1]
        rank = int(np.ceil(SHARE * len(values))) - 1
        p99[place] = np.partition(values, rank)[rank]
    tokens = len(codes.token)
    idf = np.where(n >= max(least, 1), np.log(tokens / np.maximum(n, 1)), np.nan)
    return Known(n, p99, idf, 1 - n / max(tokens, 1))
