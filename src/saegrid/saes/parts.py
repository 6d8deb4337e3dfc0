"""Parts of an SAE from the tensors of a file, whichever way round these are stored."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.matrix import Matrix
from saegrid.base.npz import open_npz
from saegrid.base.pickles import open_pickle
from saegrid.base.tensors import Tensors, dtype_name, open_tensors, widen
from saegrid.saes.checkpoint import finite, matrix
from saegrid.saes.fronts import GEMMA_EPS, Front
from saegrid.saes.norms import column_norms, pick_columns, project, row_norms
from saegrid.saes.sae import Decoder, Encoder

READERS = {
    ".safetensors": open_tensors,
    ".npz": open_npz,
    ".pt": open_pickle,
    ".pth": open_pickle,
    ".bin": open_pickle,
}
"""Readers of files of weights by the end of their name."""


def open_weights(path: Path) -> Tensors:
    """The tensors of a file; its name says how it is read."""
    if path.suffix not in READERS:
        raise CheckpointError(
            f"{path}: a file of weights ends in one of {', '.join(READERS)}. Correct `file` at "
            "this SAE in the config."
        )
    return READERS[path.suffix](path)


class Weights:
    """A matrix of weights by feature: (feature, channel), stored so or the other way round."""

    def __init__(self, matrix: Matrix, turned: bool) -> None:
        """turned: it is stored as (channel, feature)."""
        self.matrix, self.turned = matrix, turned
        shape = matrix.shape[::-1] if turned else matrix.shape
        self.d_sae, self.d_model = int(shape[0]), int(shape[1])

    def read(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """The rows of the features start..stop - 1, in the head of `out` or in a new array."""
        return (self.matrix.columns if self.turned else self.matrix.rows)(start, stop, out)

    def pick(self, features: np.ndarray) -> np.ndarray:
        """(n, channel) as stored: the rows of some features."""
        array = self.matrix.array
        return pick_columns(array, features) if self.turned else array[features]

    def norms(self) -> np.ndarray:
        """(feature,) float64: norms of the rows; the matrix is walked through once."""
        return (column_norms if self.turned else row_norms)(self.matrix)


def shape_of(tensors: Tensors, name: str, turned: bool) -> tuple[int, int]:
    """d_sae and d_model of an encoder, from the shape of its matrix."""
    if name not in tensors.arrays:
        tensors.get(name, (0, 0))  # raises: it names the tensor and those of the file
    shape = tensors.arrays[name].shape
    if len(shape) != 2:
        raise CheckpointError(
            f"{tensors.path}: the tensor {name!r} must have two axes; its shape is {shape}."
        )
    return (shape[1], shape[0]) if turned else (shape[0], shape[1])


def weights(tensors: Tensors, name: str, d_sae: int, d_model: int, turned: bool) -> Weights:
    """The matrix of that name, checked; `turned`: it is stored as (d_model, d_sae)."""
    shape = (d_model, d_sae) if turned else (d_sae, d_model)
    return Weights(matrix(tensors, name, shape), turned)


def vector(tensors: Tensors, name: str, n: int) -> np.ndarray:
    """(n,) float64: a tensor of that many numbers."""
    return finite(tensors, name, widen(tensors.get(name, (n,))).astype(np.float64))


def scalar(tensors: Tensors, name: str) -> float:
    """The number in a tensor that holds one; CheckpointError where it is missing or holds more."""
    array = tensors.arrays.get(name)
    if array is None or array.size != 1:
        tensors.get(name, ())  # raises
    return float(finite(tensors, name, widen(array.reshape(-1)))[0])


def encoder(
    rows: Weights,
    bias: np.ndarray,
    *,
    threshold: np.ndarray | float | None = None,
    k: int | None = None,
    scale: np.ndarray | float = 1.0,
    before: np.ndarray | None = None,
    front: Front | None = None,
) -> Encoder:
    """The encoder: pre_i = scale_i * (W_i . (x - before)) + bias_i.

    Args:
        rows: W.
        bias: (feature,).
        threshold: of each feature or of all; None where k decides.
        k: number of features that stay; None where the threshold decides.
        scale: of each feature or of all.
        before: (channel,) vector that is subtracted from x, for which it is folded into the bias.
        front: normalisation of each token, which gives x.
    """
    scale = np.full(rows.d_sae, scale, np.float64) if np.ndim(scale) == 0 else scale
    if before is not None:
        bias = bias - scale * project(rows.read, rows.d_sae, before)
    if threshold is not None:
        threshold = np.array(np.broadcast_to(threshold, (rows.d_sae,)), np.float64)
    return Encoder(
        rows.d_model,
        rows.d_sae,
        scale,
        np.asarray(bias, np.float64),
        threshold,
        k,
        dtype_name(rows.matrix),
        rows.read,
        fill=rows.read,
        front=front,
    )


def decoder(rows: Weights, norms: np.ndarray | None, factor: float | None = None) -> Decoder:
    """The decoder; `norms` of its rows where they are known, `factor` that multiplies them all."""

    def measure() -> np.ndarray:
        if norms is not None:
            return norms
        return rows.norms() * (1.0 if factor is None else factor)

    factors = None if factor is None else np.full(rows.d_sae, factor)
    return Decoder(rows.d_model, rows.d_sae, rows.pick, measure, factors)


def check_k(path: Path, k: int, d_sae: int) -> int:
    """k, where it is a number of features; else CheckpointError."""
    if not 0 < k <= d_sae:
        raise CheckpointError(f"{path}: k must lie in 1..{d_sae} (features); got {k}.")
    return k


def facts(
    form: str, hook: str | None, encoder: Encoder, folded: Mapping[str, bool], **more: Any
) -> dict[str, Any]:
    """Facts of an SAE for headers and pages.

    Args:
        form: name of the format.
        hook: name of the place as the files have it.
        encoder: tells the stored type and the gate.
        folded: changes to the numbers of the file in plain words, each with True if it was made.
        more: facts of the format.
    """
    known: dict[str, Any] = {"format": form, "hook": hook, "dtype": encoder.dtype}
    known |= {"scale": "stored", "gate": _gate(encoder)}
    if encoder.k is not None:
        known["k"] = encoder.k
    return known | {"folded": [words for words, is_done in folded.items() if is_done]} | more


def _gate(encoder: Encoder) -> str:
    """The gate in plain words."""
    if encoder.threshold is None:
        return f"the {encoder.k} largest of a token"
    low, high = float(encoder.threshold.min()), float(encoder.threshold.max())
    return f"above {low:.6g}" if low == high else f"above {low:.6g} to {high:.6g} by feature"


SUBTRACTED = "b_dec taken off the input in the encoder's bias"
SKIPPED = "skip added to the output"
BEFORE_GAIN = f"stream divided by sqrt(mean square + {GEMMA_EPS:g}), the norm before its gain"
RECTIFIED = "negative thresholds are taken as 0, since a ReLU lets nothing negative through"
"""Changes that several formats make."""
