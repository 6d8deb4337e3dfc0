"""Fast products that find where a feature may be active, and how far they can be off.

A screen multiplies a block of encoder rows with a tile of activations in a cheap format. What it
returns only says which entries to compute again (design, semantics 8), so which screen ran, and in
what shapes, never shows in a result. A product w . x over d_model terms is off by at most

    |w| * (|x - x'| + gamma * |x'|),   gamma = d_model * 2^-24

where x' is the activation as the screen holds it and gamma covers every order of a float32
accumulation; a result that is rounded to bfloat16 moves by another 2^-8 of itself. Encoder rows
are held exactly by either screen. Of a centred SAE x is the activation less its mean over channels,
which is rounded when a screen holds it; the exact product takes the mean off again in float64.
"""

import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from saegrid.base.tensors import widen
from saegrid.codes import exact
from saegrid.saes.sae import Encoder, blocks, channel_means

LARGE = 2**36
"""Multiplications (tokens x d_model x d_sae) from which bfloat16 is worth the import of torch; once
torch is loaded, any number is."""
DTYPES = (np.float32, np.float16, np.uint16)
"""Formats in which activations and encoder rows may be stored; uint16 holds bits of bfloat16."""


class Activations(NamedTuple):
    """Activations in ascending order of their norm, so that the rows of a tile are alike."""

    x: Any
    """(row, d_model) float32, exactly the captured values: an array, or a tensor on a device."""
    order: np.ndarray
    """(row,) int64: where the row stands in the capture."""
    norms: np.ndarray
    """(row,) float64: Euclidean norms, less the means where there are some."""
    tiles: list[slice]
    """Rows that are multiplied together."""
    short: bool
    """True if the activations were stored as bfloat16."""
    means: Any = None
    """(row,) float64 means over channels, which a centred SAE takes off; None for any other."""

    def read(self, start: int, stop: int) -> Any:
        """The rows start..stop - 1 as the SAE reads them: float32, or float64 less the means."""
        rows = self.x[start:stop]
        return rows if self.means is None else rows - self.means[start:stop, None]


class Screen(Protocol):
    """A fast, inexact product that proposes which (token, feature) pairs may be active, and the
    exact product that decides them."""

    activations: Activations
    rounding: float
    """Relative error of storing a product; what the accumulation adds is in `error`."""
    error: np.ndarray
    """(row,) float64: error of a product per unit of the encoder row's norm."""

    def buffer(self, n: int, dtype: np.dtype) -> Any:
        """Memory for n encoder rows of a stored dtype; its `host` is an array to read into."""

    def send(self, buffer: Any, n: int) -> Any:
        """The n rows that were read into a buffer, on their way to where they are multiplied."""

    def norms(self, sent: Any) -> np.ndarray:
        """(feature,) float64: upper bounds of the norms of encoder rows; not finite where they are
        not."""

    def hold(self, sent: Any) -> Any:
        """Encoder rows as `product` and `dots` take them."""

    def product(self, rows: Any, tile: slice) -> Any:
        """(feature, row of the tile), in the screen's own format."""

    def pick(self, y: Any, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flat positions in a product that may be above cut (feature,) float64, and `values`."""

    def values(self, y: Any) -> np.ndarray:
        """A product as float32."""

    def dots(self, rows: Any, feature: np.ndarray, row: np.ndarray) -> np.ndarray:
        """(pair,) float64: the exact products of `saegrid.codes.exact`, to the bit."""


def norms_of(x: np.ndarray, means: np.ndarray | None = None) -> np.ndarray:
    """(row,) float64: Euclidean norms of stored rows, less means (row,) where some are given; not
    finite where a row is not."""
    norms = np.empty(len(x))
    with np.errstate(invalid="ignore"):
        for start, stop in blocks(len(x), 256):
            part = widen(x[start:stop]).astype(np.float64)
            if means is not None:
                part -= means[start:stop, None]
            norms[start:stop] = np.sqrt(np.vecdot(part, part))
    return norms


def spread(work: Callable[[int, int], Any], n: int, size: int, threads: int) -> None:
    """work(start, stop) over 0..n in steps of `size`, by some threads.

    To touch new memory first is what costs here, and threads share that.
    """
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda span: work(*span), blocks(n, size)))


def arrange(x: np.ndarray, tile: int, threads: int = 1, centred: bool = False) -> Activations:
    """The rows of x (row, d_model) sorted by norm and cut into tiles of at most `tile` rows.

    Rows that are not finite come last, with a norm that is not. centred: means over channels are to
    be taken off.
    """
    means = channel_means(x) if centred else None
    norms = norms_of(x, means)
    order = np.argsort(norms, kind="stable")
    values = np.empty(x.shape, np.float32)

    def put(start: int, stop: int) -> None:
        values[start:stop] = widen(x[order[start:stop]])

    spread(put, len(x), 1024, threads)
    short = x.dtype == np.uint16 and not centred
    means = None if means is None else means[order]
    return Activations(values, order, norms[order], cut_tiles(norms[order], tile), short, means)


def cut_tiles(norms: np.ndarray, tile: int) -> list[slice]:
    """Ranges of at most `tile` rows of ascending norms (row,).

    A tile is screened by the bound of its largest row; it ends where norms have grown eightfold, so
    that one outlier does not loosen the screen of all others.
    """
    tiles: list[slice] = []
    start = 0
    while start < len(norms):
        alike = int(np.searchsorted(norms, 8 * norms[start], side="right"))
        tiles.append(slice(start, min(start + tile, alike)))
        start = tiles[-1].stop
    return tiles


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


def narrow_down(cut: np.ndarray) -> np.ndarray:
    """bfloat16 bits (uint16) of the next number below float64 values, for any of float32's."""
    low = np.nextafter(cut.astype(np.float32), np.float32(-np.inf)).view(np.uint32)
    return ((low >> 16) + (low >> 31)).astype(np.uint16)


class Buffer(NamedTuple):
    """Memory of the processor that encoder rows are read into."""

    host: np.ndarray
    """(feature, d_model) as stored."""


class HostScreen:
    """Base class of the screens that run on the CPU."""

    def __init__(self, activations: Activations, threads: int = 1) -> None:
        self.activations = activations

    def buffer(self, n: int, dtype: np.dtype) -> Buffer:
        """Memory for n encoder rows."""
        return Buffer(np.empty((n, self.activations.x.shape[1]), dtype))

    def send(self, buffer: Buffer, n: int) -> np.ndarray:
        """The n rows that were read into a buffer: they are where they should be."""
        return buffer.host[:n]

    def norms(self, sent: np.ndarray) -> np.ndarray:
        """(feature,) float64: upper bounds of the norms of encoder rows."""
        return row_norms(sent)

    def dots(self, rows: np.ndarray, feature: np.ndarray, row: np.ndarray) -> np.ndarray:
        """(pair,) float64: exact products."""
        x, short, means = self.activations.x, self.activations.short, self.activations.means
        return exact.dots(rows, x, feature, row, short, means)

    def pick(self, y: np.ndarray, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flat positions in y where the product may be above cut, and float32 values."""
        flat = self.above(y, cut)
        return flat, self.values(y.reshape(-1)[flat])


class Float32Screen(HostScreen):
    """numpy's float32 product; torch is not needed."""

    rounding = 0.0

    def __init__(self, activations: Activations, threads: int = 1) -> None:
        super().__init__(activations)
        n, d_model = activations.x.shape
        self.x, roundings = activations.x, d_model
        if activations.means is not None:
            self.x, roundings = np.empty((n, d_model), np.float32), d_model + 1

            def put(start: int, stop: int) -> None:
                self.x[start:stop] = activations.read(start, stop)

            spread(put, n, 256, threads)
        self.error = activations.norms * (roundings * 2.0**-24 * 1.01)

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


class Bfloat16Screen(HostScreen):
    """torch's product of bfloat16 numbers: float32 accumulation, the result in bfloat16."""

    rounding = 2.0**-8

    def __init__(self, activations: Activations, threads: int = 1) -> None:
        import torch

        super().__init__(activations)
        # Read-only memory is fine, nothing writes to it.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        self.torch = torch
        n, d_model = activations.x.shape
        bits = np.empty((n, d_model), np.uint16)
        # What was stored as bfloat16 loses nothing.
        lost, held = np.zeros(n), activations.norms.copy()

        def put(start: int, stop: int) -> None:
            x = activations.read(start, stop)
            if activations.short:
                np.right_shift(x.view(np.uint32), 16, out=bits[start:stop], casting="unsafe")
            else:
                bits[start:stop] = narrow(x)
                lost[start:stop] = norms_of(x - widen(bits[start:stop]))
                held[start:stop] = norms_of(bits[start:stop])

        spread(put, n, 256, threads)
        self.x = self._tensor(bits)
        self.error = 1.01 * (lost + held * (d_model * 2.0**-24))

    def _tensor(self, bits: np.ndarray) -> Any:
        return self.torch.from_numpy(bits).view(self.torch.bfloat16)

    def hold(self, rows: np.ndarray) -> np.ndarray:
        """Encoder rows as `product` takes them: bfloat16 bits."""
        return np.ascontiguousarray(rows)

    def norms(self, sent: np.ndarray) -> np.ndarray:
        """(feature,) float64: upper bounds of the norms of encoder rows, up to 2^-7 high.

        torch adds squares in float32 and rounds the root to bfloat16, off by 2^-8 of it at most;
        the other factor and the summand are those of `row_norms`.
        """
        self.torch.set_num_threads(1)
        d_model = sent.shape[1]
        norms = self.torch.linalg.vector_norm(self._tensor(sent), dim=1).double().numpy()
        return norms * (1 + 2.0**-8) * (1 + d_model * 2.0**-23) + d_model * 2.0**-60

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
        bits = narrow_down(cut).view(np.int16)
        if (bits < 0).any():
            y, bits = _ascending(y), _ascending(bits)
        return np.flatnonzero(y >= bits[:, None])

    def values(self, y: np.ndarray) -> np.ndarray:
        """A product, or a part of it, as float32."""
        return widen(y.view(np.uint16))


def _ascending(bits: np.ndarray) -> np.ndarray:
    """Integers in the order of the bfloat16 numbers whose bits (int16) are given."""
    return bits ^ ((bits >> 15) & 0x7FFF)


SCREENS: dict[str, type[HostScreen]] = {
    "float32": Float32Screen,
    "bfloat16": Bfloat16Screen,
}


@lru_cache
def fast_bfloat16() -> bool:
    """Return True if the CPU multiplies bfloat16 faster than float32.

    With matrix units (AMX) it does. With the vector instructions alone bfloat16 is twice as fast on
    some CPUs and half as fast on others, so a small product is timed in both formats.
    """
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text(encoding="utf-8").split()) if cpuinfo.exists() else set()
    return "amx_bf16" in flags or ("avx512_bf16" in flags and _wins_race())


def _wins_race() -> bool:
    """Return True if bfloat16 is faster than float32 in a short product on one thread."""
    import torch

    one = np.ones((512, 1024), np.float32)
    other = torch.ones((512, 1024), dtype=torch.bfloat16)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        return _shortest(lambda: other @ other.T) < _shortest(lambda: one @ one.T)


def _shortest(action: Callable[[], Any]) -> float:
    """Seconds of this thread, of the fastest of five: other programs do not slow it down."""
    seconds = []
    for _ in range(5):
        begin = time.thread_time()
        action()
        seconds.append(time.thread_time() - begin)
    return min(seconds)


def choose(screen: str, encoder: Encoder, n_tokens: int) -> str:
    """The screen to use; `auto` takes bfloat16 for large bfloat16 encoders on fast hardware.

    Raises ValueError for a name that is unknown or a screen that cannot hold the encoder exactly.
    """
    if screen == "auto":
        large = n_tokens * encoder.d_model * encoder.d_sae >= LARGE or "torch" in sys.modules
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
