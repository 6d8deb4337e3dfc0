"""x (token, d_model) to sparse z (token, d_sae): screen fast, decide exactly.

No array of tokens x d_sae exists at any time, and the decoder is not read. A screen (see `screen`)
finds the entries that may pass the gate; each of them is computed again from the stored numbers.
The products of two stored numbers are exact in float64; they are summed in float64 in an order
that d_model alone fixes, scaled, moved by the bias, and rounded once to float32. This value is
gated and kept (design, semantics 8), so results do not depend on the screen, on block and tile
sizes or on the number of threads.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from saegrid.codes import screen as screens
from saegrid.codes.budget import MEMORY_MB, describe, fit
from saegrid.codes.candidates import (
    Block,
    Found,
    Job,
    best,
    candidates,
    decide,
    join,
    open_block,
    sure_least,
)
from saegrid.codes.sparse import Features, from_pairs
from saegrid.saes.ahead import READERS, Ahead
from saegrid.saes.sae import Encoder, as_fed, blocks

Spans = list[tuple[int, int]]
DEVICE = "SAEGRID_DEVICE"
"""Environment variable with the device that the study's model runs on; it decides no value."""


def encode(
    x: np.ndarray,
    token: np.ndarray,
    encoder: Encoder,
    *,
    screen: str = "auto",
    threads: int = 1,
    memory_mb: int = MEMORY_MB,
    device: str | None = None,
    feature_block: int | None = None,
    token_tile: int | None = None,
    name: str = "activations",
    tell: Callable[[str], Any] = lambda line: None,
) -> Features:
    """z of every captured token, by feature.

    x: (token, d_model) float32, float16 or bfloat16 (as uint16 bits); token: (token,) their token
    indices, ascending. screen: auto, float32 or bfloat16. memory_mb: of the host; block and tile
    sizes follow from it where they are not given. device: where torch multiplies (cuda); None: the
    processor does. `name` says in messages where x is from; `tell` gets a line about what will be
    read, held and multiplied. None of the options changes a byte of the result.

    Raises ValueError where shapes or dtypes do not fit, x or the encoder holds NaN or infinity, or
    the memory does not suffice.
    """
    check_activations(x, token, encoder.d_model, name)
    check_gate(encoder)
    x = as_fed(encoder, x)
    kind, card = screens.choose(screen, encoder, len(x)), None
    if device is not None:
        from saegrid.codes import device as devices

        kind, card = devices.kind(screen, encoder), devices.free_mb(device)
        threads = max(threads, 2)  # one decides while the other's product runs
    sizes = fit(encoder, x, kind, threads, memory_mb, card)
    tell(describe(encoder, x, kind, device or "the processor", sizes))
    tile = token_tile or sizes.token_tile
    with threadpool_limits(1):  # a product runs in the thread that asks; blocks are spread
        if device is None:
            activations = screens.arrange(x, tile, threads, encoder.centred)
            check_finite(activations, token, name)
            job = Job(encoder, screens.SCREENS[kind](activations, threads))
        else:
            activations = devices.arrange(x, tile, device, encoder.centred)
            check_finite(activations, token, name)
            job = Job(encoder, devices.DeviceScreen(activations, kind))
        gate = _top_k if encoder.k is not None else _above_threshold
        entries = gate(job, blocks(encoder.d_sae, feature_block or sizes.feature_block), threads)
    rows = activations.order[entries.row]
    return from_pairs(entries.feature, token[rows], entries.value, token, encoder.d_sae)


def place(gpus: int) -> str | None:
    """The torch device of a job that has so many GPUs; None: the processor multiplies.

    Among several GPUs it is that of the environment's `DEVICE`, as the model's.
    """
    if gpus < 1:
        return None
    import torch

    named = os.environ.get(DEVICE, "")
    return (named if named.startswith("cuda") else "cuda") if torch.cuda.is_available() else None


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


def check_finite(activations: screens.Activations, token: np.ndarray, name: str) -> None:
    """Raise ValueError where activations hold NaN or infinity: their norm then is neither."""
    wrong = activations.order[~np.isfinite(activations.norms)]
    if len(wrong):
        row = int(wrong.min())
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


def _over_blocks(
    job: Job, spans: Spans, threads: int, work: Callable[[Block], list[Found]]
) -> Iterator[list[Found]]:
    """work(block) in the order of the spans, while the rows of the next ones are read."""
    longest = max((stop - start for start, stop in spans), default=0)
    dtype = job.encoder.stored

    def load(span: tuple[int, int], buffer: Any) -> Any:
        return job.screen.send(buffer, len(job.encoder.rows(*span, buffer.host)))

    buffers = [job.screen.buffer(longest, dtype) for _ in spans[: threads + READERS]]
    with Ahead(load, spans, buffers) as ahead:

        def of(span: tuple[int, int]) -> list[Found]:
            with ahead.block(span) as sent:
                return work(open_block(job, span[0], sent))

        yield from in_threads(of, spans, threads)


def _above_threshold(job: Job, spans: Spans, threads: int) -> Found:
    """z > threshold, strictly."""
    threshold = job.encoder.threshold

    def work(block: Block) -> list[Found]:
        limit = threshold[block.start : block.start + len(block.norms)]
        parts = []
        for tile in job.activations.tiles:
            y = job.screen.product(block.rows, tile)
            entries = decide(job, block, candidates(job, block, tile, y, limit, by_row=False))
            parts.append(entries.take(entries.value > threshold[entries.feature]))
        return parts

    return join([p for parts in _over_blocks(job, spans, threads, work) for p in parts])


def _top_k(job: Job, spans: Spans, threads: int) -> Found:
    """The k largest z > 0 of every token, ties to the smaller feature id.

    `least` (row,) is the k-th largest z of a token so far: what stays below it is never kept, so
    reading it while another block raises it costs time and changes nothing.
    """
    k, n = job.encoder.k, len(job.activations.order)
    least = np.zeros(n, dtype=np.float32)

    def work(block: Block) -> list[Found]:
        parts = []
        for tile in job.activations.tiles:
            y = job.screen.product(block.rows, tile)
            limit = np.maximum(least[tile], sure_least(job, block, tile, y, k, least[tile]))
            parts.append(decide(job, block, candidates(job, block, tile, y, limit, by_row=True)))
        return parts

    kept, waiting = join([]), []
    for parts in _over_blocks(job, spans, threads, work):
        waiting += parts
        if sum(len(part.row) for part in waiting) >= n * k // 2:
            kept, waiting = best(join([kept, *waiting]), k, least), []
    return best(join([kept, *waiting]), k, least)


def in_threads(
    work: Callable[[tuple[int, int]], list[Found]], spans: Spans, threads: int
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
