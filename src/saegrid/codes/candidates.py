"""Candidates for entries of z that pass a gate, and their exact values.

`limit` is the value that z must reach. Bounds are taken a little too wide wherever their own
arithmetic rounds: an entry too many costs one exact product, one too few would be an error.
"""

from typing import Any, NamedTuple

import numpy as np

from saegrid.codes.screen import Activations, Screen
from saegrid.saes.sae import Encoder


class Found(NamedTuple):
    """Entries of z, or candidates for them."""

    feature: np.ndarray
    """(entry,) int64."""
    row: np.ndarray
    """(entry,) int64: row of `Activations`."""
    value: np.ndarray
    """(entry,) float32."""

    def take(self, chosen: np.ndarray) -> "Found":
        """The entries selected by indices or by a boolean mask."""
        return Found(*(column[chosen] for column in self))


class Block(NamedTuple):
    """Some features, ready to be multiplied."""

    start: int
    rows: Any
    """(feature, d_model) as the screen holds them."""
    norms: np.ndarray
    """(feature,) float64 upper bounds."""
    scale: np.ndarray
    bias: np.ndarray


class Job(NamedTuple):
    """The encoder and the screen, which all blocks share."""

    encoder: Encoder
    screen: Screen

    @property
    def activations(self) -> Activations:
        """The rows that are encoded."""
        return self.screen.activations

    @property
    def tiny(self) -> float:
        """Upper bound of the error of a product from numbers that underflow in float32."""
        return self.encoder.d_model * 2.0**-125


def open_block(job: Job, start: int, sent: Any) -> Block:
    """Features that were read, from `start` on; ValueError where they hold NaN or infinity."""
    norms = job.screen.norms(sent)
    if not np.isfinite(norms).all():
        feature = start + int(np.argmin(np.isfinite(norms)))
        raise ValueError(
            f"SAE: encoder rows must be finite; feature {feature} holds NaN or infinity, or numbers"
            " too large to square in float32. The checkpoint is damaged."
        )
    part, held = slice(start, start + len(norms)), job.screen.hold(sent)
    return Block(start, held, norms, job.encoder.scale[part], job.encoder.bias[part])


def _slack(block: Block, reach: np.ndarray | float) -> np.ndarray:
    """(feature,) what arithmetic in float64 and rounding z to float32 can move near `reach`."""
    return 2.0**-23 * np.abs(reach) + 2.0**-45 * (np.abs(reach) + np.abs(block.bias))


def _cut(job: Job, block: Block, error: float, limit: np.ndarray | float) -> np.ndarray:
    """(feature,) float64: a screened product below this leaves z below the limit for sure."""
    needed = limit - block.bias - _slack(block, limit)
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = needed / block.scale
    cut = np.where(block.scale > 0, cut, np.where(needed <= 0, -np.inf, np.inf))
    return cut - (block.norms * error * (1 + 2.0**-20) + job.tiny)


def candidates(
    job: Job, block: Block, tile: slice, y: np.ndarray, limit: np.ndarray, by_row: bool
) -> Found:
    """Entries whose z may reach the limit, (feature,) or (row of the tile,); value: the screen's.

    Features here are numbers within the block.
    """
    error = job.screen.error[tile]
    cut = _cut(job, block, float(error.max()), limit.min() if by_row else limit)
    flat, value = job.screen.pick(y, cut)
    feature, row = np.divmod(flat, y.shape[1])
    reach = value.astype(np.float64) + _uncertainty(job, block, feature, row + tile.start, value)
    upper = block.scale[feature] * reach + block.bias[feature]
    wanted = limit[row if by_row else feature]
    upper += 2.0**-22 * np.abs(wanted) + 2.0**-44 * np.abs(block.bias[feature])
    return Found(feature, row + tile.start, value).take(upper >= wanted)


def _uncertainty(
    job: Job, block: Block, feature: np.ndarray, row: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """(entry,) float64: how far the screen's value can be from the exact product."""
    stored = job.screen.rounding * np.abs(value.astype(np.float64))
    return stored + block.norms[feature] * job.screen.error[row] + job.tiny


def decide(job: Job, block: Block, entries: Found) -> Found:
    """The entries with their exact z, rounded once to float32, and their true feature ids.

    Raises RuntimeError where a screen was off by more than its bound: then the hardware does not
    do what the bound rests on, and entries may have been overlooked.
    """
    exact = job.screen.dots(block.rows, entries.feature, entries.row)
    off = np.abs(exact - entries.value)
    if (off > 1.001 * _uncertainty(job, block, entries.feature, entries.row, entries.value)).any():
        raise RuntimeError(
            f"The {type(job.screen).__name__} is off by more than its error bound in the features "
            f"{block.start}..{block.start + len(block.norms) - 1}. Set screen: float32."
        )
    z = (block.scale[entries.feature] * exact + block.bias[entries.feature]).astype(np.float32)
    return Found(entries.feature + block.start, entries.row, z)


def sure_least(
    job: Job, block: Block, tile: slice, y: np.ndarray, k: int, least: np.ndarray
) -> np.ndarray | float:
    """(row of the tile,) a value that k entries of the block reach for sure; 0 where not needed."""
    if len(block.norms) <= k or least.min() > 0:
        return 0.0
    z = job.screen.values(y).astype(np.float64)
    unsure = np.outer(block.norms, job.screen.error[tile]) + job.tiny
    unsure += job.screen.rounding * np.abs(z)
    z = (z - unsure) * block.scale[:, None] + block.bias[:, None]
    z -= 2.0**-22 * np.abs(z) + 2.0**-44 * np.abs(block.bias)[:, None]
    return np.partition(z, len(z) - k, axis=0)[len(z) - k]


def best(entries: Found, k: int, least: np.ndarray) -> Found:
    """The k largest positive entries of every row; writes the k-th of each to least (row,)."""
    entries = entries.take(entries.value > 0)
    entries = entries.take(np.lexsort((entries.feature, -entries.value, entries.row)))
    counts = np.bincount(entries.row, minlength=len(least))
    starts = np.cumsum(counts) - counts
    full = counts >= k
    least[full] = entries.value[starts[full] + k - 1]
    return entries.take(np.arange(len(entries.row)) - starts[entries.row] < k)


def join(parts: list[Found]) -> Found:
    """All entries of the parts."""
    if not parts:
        return Found(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))
