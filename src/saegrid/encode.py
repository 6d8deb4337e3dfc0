"""x (token, d_model) to sparse z (token, d_sae): screen fast, decide exactly.

No array of tokens x d_sae exists at any time, and the decoder is not read. A screen (see `screen`)
finds the entries that may pass the gate; each of them is computed again from the stored numbers.
The products of two stored numbers are exact in float64; they are summed in float64 in an order
that d_model alone fixes, scaled, moved by the bias, and rounded once to float32. This value is
gated and kept (design, semantics 8), so results do not depend on the screen, on block and tile
sizes or on the number of threads.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from saegrid import screen as screens
from saegrid.exact import dots
from saegrid.saes.sae import Encoder, blocks, widen
from saegrid.screen import Activations, Screen
from saegrid.sparse import Features, from_pairs

FEATURE_BLOCK = 2048
"""Encoder rows that are multiplied at a time."""
TOKEN_TILE = 1024
"""Tokens that they are multiplied with at a time."""


class Found(NamedTuple):
    """Entries of z, or what may become some."""

    feature: np.ndarray
    """(entry,) int64."""
    row: np.ndarray
    """(entry,) int64: row of `Activations`."""
    value: np.ndarray
    """(entry,) float32."""

    def take(self, chosen: np.ndarray) -> "Found":
        """Some of the entries, by number or by truth."""
        return Found(*(column[chosen] for column in self))


class Block(NamedTuple):
    """Some features, ready to be multiplied."""

    start: int
    rows: np.ndarray
    """(feature, d_model) as the screen holds them."""
    norms: np.ndarray
    """(feature,) float64 upper bounds."""
    scale: np.ndarray
    bias: np.ndarray


class Job(NamedTuple):
    """What is common to all blocks."""

    encoder: Encoder
    activations: Activations
    screen: Screen

    @property
    def tiny(self) -> float:
        """What numbers too small for float32 can add to the error of a product."""
        return self.encoder.d_model * 2.0**-125


def encode(
    x: np.ndarray,
    token: np.ndarray,
    encoder: Encoder,
    *,
    screen: str = "auto",
    threads: int = 1,
    feature_block: int = FEATURE_BLOCK,
    token_tile: int = TOKEN_TILE,
    name: str = "activations",
) -> Features:
    """z of every captured token, by feature.

    x: (token, d_model) float32, float16 or bfloat16 (as uint16 bits); token: (token,) their token
    indices, ascending. screen: auto, float32 or bfloat16. `name` says in messages where x is from.
    None of the options changes a byte of the result.

    Raises ValueError where shapes or dtypes do not fit or x or the encoder holds NaN or infinity.
    """
    check_activations(x, token, encoder.d_model, name)
    check_gate(encoder)
    activations = screens.arrange(x, token_tile)
    kind = screens.choose(screen, encoder, len(x))
    job = Job(encoder, activations, screens.SCREENS[kind](activations))
    spans = blocks(encoder.d_sae, feature_block)
    with threadpool_limits(1):  # a product runs in the thread that asks; blocks are spread
        gate = _top_k if encoder.k is not None else _above_threshold
        found = gate(job, spans, threads)
    rows = activations.order[found.row]
    return from_pairs(found.feature, token[rows], found.value, token, encoder.d_sae)


def check_activations(x: np.ndarray, token: np.ndarray, d_model: int, name: str) -> None:
    """Raise ValueError unless x (token, d_model) is finite and fits token (token,) and d_model."""
    if x.ndim != 2 or x.shape[1] != d_model:
        raise ValueError(
            f"{name}: x must be (token, {d_model}) for this SAE; got {x.shape}. "
            "Check that the SAE belongs to the model and the site."
        )
    if x.dtype not in screens.DTYPES:
        raise ValueError(
            f"{name}: x must be float32, float16 or bfloat16 (as uint16 bits); got {x.dtype}. "
            "Capture again with one of these."
        )
    if token.shape != (len(x),) or (np.diff(token) <= 0).any():
        raise ValueError(
            f"{name}: token must hold {len(x)} ascending token indices, one a row of x; got shape "
            f"{token.shape}. The file is damaged; delete it and capture again."
        )
    for start in range(0, len(x), 1024):
        finite = np.isfinite(widen(x[start : start + 1024])).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise ValueError(
                f"{name}: x must be finite; row {row} (token {token[row]}) holds NaN or infinity. "
                "Capture in float32 or bfloat16, or exclude the text."
            )


def check_gate(encoder: Encoder) -> None:
    """Raise ValueError unless scale, bias and threshold are finite, and none but bias negative."""
    scalars = {"scale": encoder.scale, "bias": encoder.bias, "threshold": encoder.threshold}
    for name, values in scalars.items():
        if values is None:
            continue
        wrong = ~np.isfinite(values) if name == "bias" else ~(np.isfinite(values) & (values >= 0))
        if wrong.any():
            feature = int(np.argmax(wrong))
            rule = "finite" if name == "bias" else "finite and not negative"
            raise ValueError(
                f"SAE: {name} must be {rule}; feature {feature} has {values[feature]}. "
                "The checkpoint is damaged."
            )


def _open(job: Job, start: int, stop: int) -> Block:
    """Read a block of encoder rows; ValueError where they hold NaN or infinity."""
    stored = job.encoder.rows(start, stop)
    norms = screens.row_norms(stored)
    if not np.isfinite(norms).all():
        feature = start + int(np.argmin(np.isfinite(norms)))
        raise ValueError(
            f"SAE: encoder rows must be finite; feature {feature} holds NaN or infinity, or numbers"
            " too large to square in float32. The checkpoint is damaged."
        )
    part = slice(start, stop)
    held = job.screen.hold(stored)
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


def _candidates(
    job: Job, block: Block, tile: slice, y: np.ndarray, limit: np.ndarray, by_row: bool
) -> Found:
    """Entries whose z may reach the limit, (feature,) or (row of the tile,); value: the screen's.

    Features here are numbers within the block.
    """
    error = job.screen.error[tile]
    cut = _cut(job, block, float(error.max()), limit.min() if by_row else limit)
    flat = job.screen.above(y, cut)
    feature, row = np.divmod(flat, y.shape[1])
    value = job.screen.values(y.reshape(-1)[flat])
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


def _decide(job: Job, block: Block, found: Found) -> Found:
    """The entries with their exact z, rounded once to float32, and their true feature ids.

    Raises RuntimeError where a screen was off by more than its bound: then the hardware does not
    do what the bound rests on, and entries may have been overlooked.
    """
    exact = dots(block.rows, job.activations.x, found.feature, found.row)
    off = np.abs(exact - found.value)
    if (off > 1.001 * _uncertainty(job, block, found.feature, found.row, found.value)).any():
        raise RuntimeError(
            f"The {type(job.screen).__name__} is off by more than its error bound in the features "
            f"{block.start}..{block.start + len(block.norms) - 1}. Set screen: float32."
        )
    z = (block.scale[found.feature] * exact + block.bias[found.feature]).astype(np.float32)
    return Found(found.feature + block.start, found.row, z)


def _above_threshold(job: Job, spans: list[tuple[int, int]], threads: int) -> Found:
    """z > threshold, strictly."""
    threshold = job.encoder.threshold

    def work(span: tuple[int, int]) -> list[Found]:
        block = _open(job, *span)
        limit = threshold[slice(*span)]
        parts = []
        for tile in job.activations.tiles:
            y = job.screen.product(block.rows, tile)
            found = _decide(job, block, _candidates(job, block, tile, y, limit, by_row=False))
            parts.append(found.take(found.value > threshold[found.feature]))
        return parts

    return join([part for parts in in_threads(work, spans, threads) for part in parts])


def _top_k(job: Job, spans: list[tuple[int, int]], threads: int) -> Found:
    """The k largest z > 0 of every token, ties to the smaller feature id.

    `least` (row,) is the k-th largest z of a token so far: what stays below it is never kept, so
    reading it while another block raises it costs time and changes nothing.
    """
    k, n = job.encoder.k, len(job.activations.x)
    least = np.zeros(n, dtype=np.float32)

    def work(span: tuple[int, int]) -> list[Found]:
        block = _open(job, *span)
        parts = []
        for tile in job.activations.tiles:
            y = job.screen.product(block.rows, tile)
            limit = np.maximum(least[tile], _sure_least(job, block, tile, y, k, least[tile]))
            parts.append(_decide(job, block, _candidates(job, block, tile, y, limit, by_row=True)))
        return parts

    best, waiting = join([]), []
    for parts in in_threads(work, spans, threads):
        waiting += parts
        if sum(len(part.row) for part in waiting) >= n * k // 2:
            best, waiting = _best(join([best, *waiting]), k, least), []
    return _best(join([best, *waiting]), k, least)


def _sure_least(
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


def _best(found: Found, k: int, least: np.ndarray) -> Found:
    """The k largest positive entries of every row; writes the k-th of each to least (row,)."""
    found = found.take(found.value > 0)
    found = found.take(np.lexsort((found.feature, -found.value, found.row)))
    counts = np.bincount(found.row, minlength=len(least))
    starts = np.cumsum(counts) - counts
    full = counts >= k
    least[full] = found.value[starts[full] + k - 1]
    return found.take(np.arange(len(found.row)) - starts[found.row] < k)


def join(parts: list[Found]) -> Found:
    """All entries of the parts."""
    if not parts:
        return Found(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def in_threads(
    work: Callable[[tuple[int, int]], list[Found]], spans: list[tuple[int, int]], threads: int
) -> Iterator[list[Found]]:
    """work(span) in the order of the spans; at most two a thread are under way or wait."""
    if threads == 1:
        yield from map(work, spans)
        return
    with ThreadPoolExecutor(threads) as pool:
        rest = iter(spans)
        running = deque(pool.submit(work, span) for span in islice(rest, 2 * threads))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(work, span) for span in islice(rest, 1))
