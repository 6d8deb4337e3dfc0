"""Fast products that find where a feature may be active, and how far they can be off.

A screen multiplies a block of encoder rows with a tile of activations in a cheap format. What it
returns only says which entries to compute again (design, semantics 8), so which screen ran, and in
what shapes, never shows in a result. A product w . x over d_model terms is off by at most

    |w| * (|x - x'| + gamma * |x'|),   gamma = d_model * 2^-24

where x' is the activation as the screen holds it and gamma covers every order of a float32
accumulation; a result that is rounded to bfloat16 moves by another 2^-8 of itself. Encoder rows
are held exactly by either screen.
"""

import sys
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.saes.sae import Encoder, widen

LARGE = 2**36
"""Multiplications (tokens x d_model x d_sae) from which bfloat16 is worth the import of torch."""
DTYPES = (np.float32, np.float16, np.uint16)
"""What activations and encoder rows may be stored as; uint16 holds the bits of bfloat16."""


class Activations(NamedTuple):
    """Activations in ascending order of their norm, so that the rows of a tile are alike."""

    x: np.ndarray
    """(row, d_model) float32, exactly the captured values."""
    order: np.ndarray
    """(row,) int64: where the row stands in the capture."""
    norms: np.ndarray
    """(row,) float64: Euclidean norms."""
    tiles: list[slice]
    """Rows that are multiplied together."""


def norms_of(x: np.ndarray) -> np.ndarray:
    """(row,) float64: Euclidean norms of the rows of a float32 matrix."""
    norms = np.empty(len(x))
    for start in range(0, len(x), 256):
        part = x[start : start + 256].astype(np.float64)
        norms[start : start + 256] = np.sqrt(np.einsum("ij,ij->i", part, part))
    return norms


def arrange(x: np.ndarray, tile: int) -> Activations:
    """The rows of x (row, d_model) sorted by norm and cut into tiles of at most `tile` rows.

    A tile is screened by the bound of its largest row; it ends where norms have grown eightfold, so
    that one outlier does not loosen the screen of all others.
    """
    values = widen(x)
    norms = norms_of(values)
    order = np.argsort(norms, kind="stable")
    norms = norms[order]
    tiles: list[slice] = []
    start = 0
    while start < len(norms):
        alike = int(np.searchsorted(norms, 8 * norms[start], side="right"))
        tiles.append(slice(start, min(start + tile, alike)))
        start = tiles[-1].stop
    return Activations(values[order], order, norms, tiles)


def row_norms(rows: np.ndarray) -> np.ndarray:
    """(feature,) float64: upper bounds, a few per mille high, of the norms of encoder rows.

    Not finite where a row is not.
    """
    d_model = rows.shape[1]
    with np.errstate(invalid="ignore", over="ignore"):
        if rows.dtype == np.uint16 and d_model % 2 == 0 and sys.byteorder == "little":
            squares = _paired_squares(rows)
        else:
            values = widen(rows)
            squares = np.vecdot(values, values)
    # The factor covers the accumulation, the summand squares that are too small for float32.
    return np.sqrt(squares.astype(np.float64)) * (1 + d_model * 2.0**-23) + d_model * 2.0**-60


def _paired_squares(rows: np.ndarray) -> np.ndarray:
    """(feature,) float32: sums of squares of bfloat16 rows, up to 2^-6 high, read as they lie.

    Two neighbours read as one float32 are the second with the first as additional mantissa, which
    makes it larger by less than 2^-7; the first is exact once the bits are moved up.
    """
    words = np.ascontiguousarray(rows).view(np.uint32)
    squares = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 64):
        part = words[start : start + 64]
        second, first = part.view(np.float32), (part << 16).view(np.float32)
        squares[start : start + 64] = np.vecdot(second, second) + np.vecdot(first, first)
    return squares


def narrow(x: np.ndarray) -> np.ndarray:
    """bfloat16 bits (uint16) of finite float32 values, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


class Float32Screen:
    """numpy's float32 product; torch is not needed."""

    rounding = 0.0
    """Relative error of storing a result; the accumulation is in `error`."""

    def __init__(self, activations: Activations) -> None:
        self.x = activations.x
        self.error = activations.norms * (self.x.shape[1] * 2.0**-24 * 1.01)
        """(row,) float64: error of a product per unit of the encoder row's norm."""

    def hold(self, rows: np.ndarray) -> np.ndarray:
        """Encoder rows as `product` takes them: float32."""
        return np.ascontiguousarray(widen(rows))

    def product(self, rows: np.ndarray, tile: slice) -> np.ndarray:
        """(feature, row) float32."""
        return rows @ self.x[tile].T

    def above(self, y: np.ndarray, cut: np.ndarray) -> np.ndarray:
        """Flat positions in y where the product may be above cut (feature,) float64."""
        low = np.nextafter(cut.astype(np.float32), np.float32(-np.inf))
        return np.flatnonzero(y >= low[:, None])

    def values(self, y: np.ndarray) -> np.ndarray:
        """A product, or a part of it, as float32."""
        return y


class Bfloat16Screen:
    """torch's product of bfloat16 numbers: float32 accumulation, the result in bfloat16."""

    rounding = 2.0**-8

    def __init__(self, activations: Activations) -> None:
        import torch

        # Read-only memory is fine, nothing writes to it.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        self.torch = torch
        bits = narrow(activations.x)
        held = widen(bits)
        lost = norms_of(activations.x - held)
        self.x = self._tensor(bits)
        self.error = 1.01 * (lost + norms_of(held) * (bits.shape[1] * 2.0**-24))

    def _tensor(self, bits: np.ndarray) -> Any:
        return self.torch.from_numpy(bits).view(self.torch.bfloat16)

    def hold(self, rows: np.ndarray) -> np.ndarray:
        """Encoder rows as `product` takes them: bfloat16 bits."""
        return np.ascontiguousarray(rows)

    def product(self, rows: np.ndarray, tile: slice) -> np.ndarray:
        """(feature, row) int16: the bits of bfloat16."""
        self.torch.set_num_threads(1)  # holds for the calling thread; encode spreads blocks
        y = self._tensor(rows) @ self.x[tile].T
        return y.view(self.torch.int16).numpy()

    def above(self, y: np.ndarray, cut: np.ndarray) -> np.ndarray:
        """Flat positions in y where the product may be above cut (feature,) float64.

        Rounding keeps order, so a product above the cut is stored at or above the cut rounded down.
        The bits of positive numbers are in the order of the numbers; negative ones are turned.
        """
        low = np.nextafter(cut.astype(np.float32), np.float32(-np.inf)).view(np.uint32)
        bits = ((low >> 16) + (low >> 31)).astype(np.uint16).view(np.int16)
        if (bits < 0).any():
            y, bits = _ascending(y), _ascending(bits)
        return np.flatnonzero(y >= bits[:, None])

    def values(self, y: np.ndarray) -> np.ndarray:
        """A product, or a part of it, as float32."""
        return widen(y.view(np.uint16))


def _ascending(bits: np.ndarray) -> np.ndarray:
    """Integers in the order of the bfloat16 numbers whose bits (int16) are given."""
    return bits ^ ((bits >> 15) & 0x7FFF)


Screen = Float32Screen | Bfloat16Screen
SCREENS: dict[str, type[Float32Screen] | type[Bfloat16Screen]] = {
    "float32": Float32Screen,
    "bfloat16": Bfloat16Screen,
}


@lru_cache
def fast_bfloat16() -> bool:
    """Whether the processor has matrix units for bfloat16 (AMX).

    The vector instructions alone (avx512_bf16) were half as fast as float32 where measured.
    """
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text(encoding="utf-8").split()


def choose(screen: str, encoder: Encoder, n_tokens: int) -> str:
    """The screen to use; `auto` takes bfloat16 for large bfloat16 encoders on fast hardware.

    Raises ValueError for a name that is unknown or a screen that cannot hold the encoder exactly.
    """
    if screen == "auto":
        large = n_tokens * encoder.d_model * encoder.d_sae >= LARGE
        exact = encoder.dtype == "bfloat16"
        return "bfloat16" if large and exact and fast_bfloat16() else "float32"
    if screen not in SCREENS:
        raise ValueError(f"screen must be auto, {' or '.join(SCREENS)}; got {screen!r}.")
    if screen == "bfloat16" and encoder.dtype != "bfloat16":
        raise ValueError(
            f"screen: bfloat16 needs an encoder stored as bfloat16; got {encoder.dtype}. "
            "Use screen: auto or float32."
        )
    return screen
