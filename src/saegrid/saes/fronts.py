"""Normalisations of a token's activations that an SAE is fed with, in front of its encoder.

    x_in = (x - shift) / scale_in        x_hat = x_hat_in * scale_out + shift

shift and scales are numbers of the token. A normalisation by one number for all tokens needs none
of this: the formats fold it into the weights.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

ROWS = 256
"""Tokens that are normalised at a time; no bit depends on it."""


class Numbers(NamedTuple):
    """The numbers of some tokens, (token, 1) float64 each."""

    shift: np.ndarray
    scale_in: np.ndarray
    scale_out: np.ndarray


class Front(NamedTuple):
    """A normalisation of each token."""

    name: str
    numbers: Callable[[np.ndarray], Numbers]
    """Function of activations (token, d_model) float64."""

    def apply(self, x: np.ndarray) -> np.ndarray:
        """(token, d_model) float32: raw activations, as numbers, as the encoder is fed with them.

        They are computed in float64 and rounded once.
        """
        out = np.empty(x.shape, np.float32)
        for start in range(0, len(x), ROWS):
            part = np.asarray(x[start : start + ROWS], np.float64)
            numbers = self.numbers(part)
            out[start : start + ROWS] = (part - numbers.shift) / numbers.scale_in
        return out

    def undo(self, x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
        """(token, d_model) float64: a reconstruction of normalised tokens in the units of x."""
        numbers = self.numbers(np.asarray(x, np.float64))
        return x_hat * numbers.scale_out + numbers.shift


def _layer_norm(x: np.ndarray) -> Numbers:
    """Mean over channels, and standard deviation of a sample (n - 1), as SAELens takes it."""
    mean = np.add.reduce(x, axis=1, keepdims=True) / x.shape[1]
    squares = np.add.reduce((x - mean) ** 2, axis=1, keepdims=True)
    deviation = np.sqrt(squares / (x.shape[1] - 1))
    return Numbers(mean, deviation + 1e-5, deviation)


def _constant_norm(x: np.ndarray) -> Numbers:
    """Every token gets the norm sqrt(d_model)."""
    norm = np.sqrt(np.add.reduce(x * x, axis=1, keepdims=True)) / np.sqrt(x.shape[1])
    return Numbers(np.zeros_like(norm), norm, norm)


def _rms_norm(x: np.ndarray) -> Numbers:
    """Root mean square over channels, as Gemma's norms take it."""
    rms = np.sqrt(np.add.reduce(x * x, axis=1, keepdims=True) / x.shape[1] + GEMMA_EPS)
    return Numbers(np.zeros_like(rms), rms, rms)


GEMMA_EPS = 1e-6
"""Addend to the mean square in the norms of Gemma 1 to 3 (rms_norm_eps)."""
LAYER_NORM = Front("layer_norm", _layer_norm)
CONSTANT_NORM = Front("constant_norm_rescale", _constant_norm)
RMS_NORM = Front("rms_norm", _rms_norm)
"""Gemma's norm before it multiplies with its gain 1 + weight: an SAE that reads there reads the
stream with this in front, and needs no weight of the model."""
