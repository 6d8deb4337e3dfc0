"""The screen on a GPU: the same candidates, the same exact products, on a torch device.

Blocks of encoder rows are read into pinned memory and copied on a stream of their own while the
present ones multiply. A product stays on the device; only the positions and values of what may pass
the gate come back. The exact products are made there too, in the order of `codes.exact`: sums and
products of two float64 numbers are the same everywhere, so the results are the processor's to the
bit.

Nothing but pinned memory, streams and the size of the memory asks whether the device is a GPU.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch

from saegrid.codes.screen import Activations, cut_tiles, narrow_down
from saegrid.saes.sae import Encoder, blocks, channel_means

CHUNK = {"cuda": 1 << 25, "cpu": 1 << 18}
"""Numbers that are multiplied exactly at a time: 256 MB in float64, or what stays in the cache."""
SHARE = 0.8
"""Fraction of the GPU's free memory that may be used."""
LOOSE = 4.0
"""Error of the sums of tensor cores, in units of that of a sum of rounded float32 numbers, at most:
they align their terms and cut off what sticks out, where `d_model * 2^-24` assumes rounding."""


def kind(screen: str, encoder: Encoder) -> str:
    """The format of the products on a device: bfloat16 where it holds the encoder exactly."""
    return "bfloat16" if encoder.dtype == "bfloat16" and screen != "float32" else "float32"


def free_mb(device: str) -> int:
    """Megabytes of a device's memory that may be used; without a card, no bound but the host's."""
    where = torch.device(device)
    if where.type != "cuda":
        return 1 << 30
    return int(SHARE * torch.cuda.mem_get_info(where)[0] / 1e6)


def arrange(x: np.ndarray, tile: int, device: str, centred: bool = False) -> Activations:
    """`screen.arrange`, with the rows on a device."""
    torch.backends.cuda.matmul.allow_tf32 = False
    # Else partial sums may be rounded to bfloat16, beyond any bound on float32.
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    stored = _tensor(np.ascontiguousarray(x)).to(device)
    values = stored.float()
    means = torch.from_numpy(channel_means(x)).to(device) if centred else None
    norms = _norms(values, means)
    order = torch.argsort(norms, stable=True)
    sorted_norms = norms[order].cpu().numpy()
    tiles = cut_tiles(sorted_norms, tile)
    short = x.dtype == np.uint16 and not centred
    means = None if means is None else means[order]
    return Activations(values[order], order.cpu().numpy(), sorted_norms, tiles, short, means)


def _tensor(stored: np.ndarray) -> torch.Tensor:
    """An array as a tensor without a copy; uint16 holds the bits of bfloat16."""
    if stored.dtype == np.uint16:
        return torch.from_numpy(stored.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(stored)


def _norms(x: torch.Tensor, means: torch.Tensor | None = None) -> torch.Tensor:
    """(row,) float64 norms, less means (row,) where some are given, some rows at a time."""
    norms = torch.empty(len(x), dtype=torch.float64, device=x.device)
    for start, stop in blocks(len(x), _step(x)):
        part = x[start:stop].double()
        if means is not None:
            part -= means[start:stop, None]
        norms[start:stop] = torch.linalg.vector_norm(part, dim=1)
    return norms


def _step(x: torch.Tensor) -> int:
    """Rows that are worked on at a time in float64."""
    return max(1, (1 << 24) // max(1, x.shape[1]))


class Buffer(NamedTuple):
    """A block's memory on both sides."""

    host: np.ndarray
    """(feature, d_model) as stored; pinned where there is a GPU."""
    pinned: torch.Tensor
    """`host` as a tensor; shares its memory."""
    on_device: torch.Tensor
    """Memory of the same shape on the device."""


class Sent(NamedTuple):
    """Rows on their way to the device."""

    rows: torch.Tensor
    arrived: Any
    """Event to wait for; None where they are there."""


class DeviceScreen:
    """Products of a torch device, in bfloat16 or in float32."""

    def __init__(self, activations: Activations, kind: str) -> None:
        self.activations = activations
        self.device = activations.x.device
        self.rounding = 2.0**-8 if kind == "bfloat16" else 0.0
        self.format = torch.bfloat16 if kind == "bfloat16" else torch.float32
        self.x, lost = self._held()
        gamma = LOOSE * activations.x.shape[1] * 2.0**-24
        # What was rounded to bfloat16 may have grown by its share.
        self.error = 1.01 * (lost + activations.norms * (1 + 2.0**-7) * gamma)
        self.copying = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None

    def _held(self) -> tuple[torch.Tensor, np.ndarray | float]:
        """Activations in the product's format, and (row,) float64 norms of what that loses."""
        x = self.activations.x
        if self.format == torch.float32 and self.activations.means is None:
            return x, 0.0
        held, lost = torch.empty_like(x, dtype=self.format), np.empty(len(x))
        for start, stop in blocks(len(x), _step(x)):
            part = self.activations.read(start, stop)
            held[start:stop] = part
            lost[start:stop] = _norms(part - held[start:stop]).cpu().numpy()
        return held, lost

    def buffer(self, n: int, dtype: np.dtype) -> Buffer:
        """Memory for n encoder rows of a stored dtype, on the host and on the device."""
        shape, kinds = (n, self.x.shape[1]), {2: torch.int16, 4: torch.float32}
        pinned = torch.empty(
            shape, dtype=kinds[dtype.itemsize], pin_memory=self.device.type == "cuda"
        )
        on_device = torch.empty_like(pinned, device=self.device)
        if self.copying is not None:
            # The memory may be that of numbers which are still being worked on.
            self.copying.wait_stream(torch.cuda.current_stream(self.device))
        return Buffer(pinned.numpy().view(dtype), pinned, on_device)

    def send(self, buffer: Buffer, n: int) -> Sent:
        """The n rows that were read into a buffer, being copied on their own stream."""
        gpu = self.copying is not None
        with torch.cuda.stream(self.copying) if gpu else nullcontext():
            on_device = buffer.on_device[:n].copy_(buffer.pinned[:n], non_blocking=gpu)
            arrived = torch.cuda.current_stream().record_event() if gpu else None
        stored = {np.dtype(np.uint16): torch.bfloat16, np.dtype(np.float16): torch.float16}
        return Sent(on_device.view(stored.get(buffer.host.dtype, torch.float32)), arrived)

    def hold(self, sent: Sent) -> torch.Tensor:
        """Encoder rows in the format of the product, which holds them exactly."""
        if sent.arrived is not None:
            torch.cuda.current_stream(self.device).wait_event(sent.arrived)
        return sent.rows.to(self.format)

    def norms(self, sent: Sent) -> np.ndarray:
        """(feature,) float64: upper bounds of the norms of encoder rows."""
        d_model = self.x.shape[1]
        norms = torch.linalg.vector_norm(self.hold(sent), dim=1, dtype=torch.float32)
        norms = norms.cpu().numpy().astype(np.float64)
        return norms * (1 + d_model * 2.0**-23) + d_model * 2.0**-60

    def product(self, rows: torch.Tensor, tile: slice) -> torch.Tensor:
        """(feature, row) on the device."""
        return rows @ self.x[tile].T

    def pick(self, y: torch.Tensor, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flat positions in y that may be above cut (feature,) float64, and float32 values."""
        if self.format == torch.bfloat16:
            low = _tensor(narrow_down(cut))
        else:
            low = _tensor(np.nextafter(cut.astype(np.float32), np.float32(-np.inf)))
        flat = torch.nonzero((y >= low.to(self.device)[:, None]).reshape(-1)).squeeze(1)
        return flat.cpu().numpy(), self.values(y.reshape(-1)[flat])

    def values(self, y: torch.Tensor) -> np.ndarray:
        """A product, or a part of it, as float32."""
        return y.float().cpu().numpy()

    def dots(self, rows: torch.Tensor, feature: np.ndarray, row: np.ndarray) -> np.ndarray:
        """(pair,) float64: exact products, the bits of `saegrid.codes.exact.dots`."""
        out = np.empty(len(feature))
        step = max(1, CHUNK[self.device.type] // self.x.shape[1])
        for start in range(0, len(feature), step):
            part = slice(start, start + step)
            w = rows[torch.from_numpy(feature[part]).to(self.device)]
            # As `exact.dots` does: products of two bfloat16 numbers are exact in float32.
            short = self.activations.short and w.dtype == torch.bfloat16
            w = w.float() if short else w.double()
            own = torch.from_numpy(row[part]).to(self.device)
            x, means = self.activations.x[own], self.activations.means
            w *= x if means is None else x - means[own, None]
            out[part] = pairwise(w.double()).cpu().numpy()
        return out


def pairwise(terms: torch.Tensor) -> torch.Tensor:
    """(row,) float64 sums of (row, term) in the order of numpy's `np.add.reduce(terms, axis=1)`.

    numpy cuts a row in halves of whole eights until at most 128 terms are left; these are summed in
    eight interleaved columns, the columns in pairs, and what is left over is added last.
    """
    n = terms.shape[1]
    if n > 128:
        half = n // 2 - n // 2 % 8
        return _halves(terms, half, pairwise)
    if n < 8:
        # numpy begins at -0.0, so that a row of negative zeros stays one.
        total = torch.full_like(terms[:, 0], -0.0) if n else terms.new_zeros(len(terms))
        for column in range(n):
            total = total + terms[:, column]
        return total
    whole = n - n % 8
    sums = terms[:, :8].clone()
    for start in range(8, whole, 8):
        sums += terms[:, start : start + 8]
    while sums.shape[1] > 1:
        sums = sums[:, 0::2] + sums[:, 1::2]
    total = sums[:, 0]
    for column in range(whole, n):
        total = total + terms[:, column]
    return total


def _halves(
    terms: torch.Tensor, half: int, add: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """The sums of both parts; parts of one length are summed together, as rows of one tensor."""
    if 2 * half == terms.shape[1]:
        both = add(terms.reshape(-1, half)).reshape(-1, 2)
        return both[:, 0] + both[:, 1]
    return add(terms[:, :half]) + add(terms[:, half:])
