"""Walks through whole matrices: norms, products with a vector, some columns."""

from collections.abc import Callable

import numpy as np

from saegrid.base.matrix import Matrix
from saegrid.base.tensors import widen
from saegrid.saes.ahead import READERS, Ahead
from saegrid.saes.sae import blocks

CHUNK = 1 << 22
"""Numbers whose squares are summed at a time. It fixes the order of sums, and so their bits."""
READ = 1 << 25
"""Bytes that are read at a time."""
CACHED = 1 << 17
"""Numbers that are widened at a time: in float64 they stay in the processor's cache."""


def row_norms(rows: np.ndarray | Matrix) -> np.ndarray:
    """(feature,) float64 norms of stored rows (feature, d_model), blockwise in a fixed order."""
    matrix = rows if isinstance(rows, Matrix) else Matrix(rows)
    n, width = matrix.shape
    norms = np.empty(n)
    height = max(1, CHUNK // width)
    spans = blocks(n, height)
    with Ahead(lambda span, out: matrix.rows(*span, out), spans, _buffers(matrix, height)) as ahead:
        for start, stop in spans:
            with ahead.block((start, stop)) as block:
                part = widen(block).astype(np.float64)
                norms[start:stop] = np.einsum("fd,fd->f", part, part)
    return np.sqrt(norms)


def column_norms(columns: np.ndarray | Matrix) -> np.ndarray:
    """(feature,) float64 norms of stored columns (d_model, feature), blockwise in fixed order.

    The matrix is read once from its first byte to its last, a few blocks of about `READ` bytes
    ahead; no more than these and one strip in float64 is held.
    """
    matrix = columns if isinstance(columns, Matrix) else Matrix(columns)
    height, n = matrix.shape
    total = np.zeros(n)
    step = max(1, CHUNK // n)
    strip = max(1, CACHED // step)
    wide = Wide(min(step, height), min(strip, n))
    tall = step * max(1, READ // (step * n * matrix.dtype.itemsize))
    spans = blocks(height, tall)
    with Ahead(lambda span, out: matrix.rows(*span, out), spans, _buffers(matrix, tall)) as ahead:
        for span in spans:
            with ahead.block(span) as block:
                for left, right in blocks(n, strip):
                    for top, bottom in blocks(len(block), step):
                        part = wide.of(block[top:bottom, left:right])
                        total[left:right] += np.einsum("df,df->f", part, part)
    return np.sqrt(total)


class Wide:
    """Memory in which stored numbers become float64; new memory each time would cost as much."""

    def __init__(self, height: int, width: int) -> None:
        self.bits = np.empty(height * width, np.uint32)
        self.numbers = np.empty(height * width)

    def of(self, part: np.ndarray) -> np.ndarray:
        """The numbers of a stored part in float64, until the next part."""
        numbers = self.numbers[: part.size].reshape(part.shape)
        if part.dtype == np.uint16:
            bits = self.bits[: part.size].reshape(part.shape)
            np.left_shift(part, 16, out=bits, dtype=np.uint32)
            part = bits.view(np.float32)
        np.copyto(numbers, part)
        return numbers


def _buffers(matrix: Matrix, height: int) -> list[np.ndarray]:
    """One block in use, and one for each read under way."""
    shape = (min(height, matrix.shape[0]), matrix.shape[1])
    return [np.empty(shape, matrix.dtype) for _ in range(READERS + 1)]


def pick_columns(columns: np.ndarray, features: np.ndarray) -> np.ndarray:
    """(n, d_model) as stored: some columns of (d_model, feature), a block of rows at a time."""
    picked = np.empty((len(features), len(columns)), columns.dtype)
    for start, stop in blocks(len(columns), 256):
        picked[:, start:stop] = columns[start:stop][:, features].T
    return picked


def project(rows: Callable[[int, int], np.ndarray], d_sae: int, vector: np.ndarray) -> np.ndarray:
    """(feature,) float64: the encoder's rows times a vector (d_model,)."""
    if not vector.any():
        return np.zeros(d_sae)
    parts = [widen(rows(a, b)).astype(np.float64) @ vector for a, b in blocks(d_sae)]
    return np.concatenate(parts)
