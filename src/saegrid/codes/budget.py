"""Sizes of the pieces of an encoding that keep it within its memory, known beforehand."""

from typing import NamedTuple

import numpy as np

from saegrid.saes.ahead import READERS
from saegrid.saes.sae import Encoder

MEMORY_MB = 4000
"""Default memory of an encoding."""
PROGRAM_MB = {"float32": 250, "bfloat16": 500}
"""Memory of the program itself, without torch (float32) and with it (bfloat16)."""
DRIVER_MB = 2500
"""Host memory that torch takes when it uses a GPU."""
ENTRIES, ENTRY = 100, 80
"""Active features of a token that room is left for where a threshold decides how many there are,
and bytes of each while they are sorted."""
CARD_MB = 2000
"""GPU memory of the libraries and of one chunk of exact products."""
SMALLEST = 64
"""Features of the smallest block."""


class Sizes(NamedTuple):
    """The pieces that an encoding is cut into; no result depends on them."""

    feature_block: int
    """Encoder rows that are read and multiplied at a time."""
    token_tile: int
    """Tokens that they are multiplied with at a time."""
    buffers: int
    """Blocks that are held at a time, used or on their way."""
    megabytes: int
    """Peak memory."""


def fit(
    encoder: Encoder,
    x: np.ndarray,
    kind: str,
    threads: int,
    memory_mb: int,
    card_mb: int | None = None,
) -> Sizes:
    """The largest pieces up to a useful size that keep to the memory.

    kind: float32 or bfloat16, the product's format; memory_mb: of the host; card_mb: of the card
    that multiplies, None where the processor does.

    Raises ValueError where not even the smallest pieces fit.
    """
    block, tile = (2048, 1024) if card_mb is None or encoder.k is not None else (8192, 4096)
    while True:
        sizes = Sizes(block, tile, threads + READERS, 0)
        host, card = _host(encoder, x, kind, threads, sizes, card_mb), _card(encoder, x, sizes)
        if host <= memory_mb and (card_mb is None or card <= card_mb):
            return sizes._replace(megabytes=host)
        if block <= SMALLEST:
            break
        block //= 2
    short = host > memory_mb
    raise ValueError(
        f"encode: {x.shape[0]} tokens of {x.shape[1]} dimensions need {host if short else card} MB "
        f"of memory{'' if short else ' on the card'}; there are "
        f"{memory_mb if short else card_mb} MB. "
        + ("Raise memory.encode, or capture" if short else "Capture")
        + " fewer context tokens (tokens: context)."
    )


def describe(encoder: Encoder, x: np.ndarray, kind: str, place: str, sizes: Sizes) -> str:
    """One line: what will be read, held and multiplied."""
    read = encoder.d_sae * encoder.d_model * encoder.stored.itemsize
    operations = 2 * x.shape[0] * encoder.d_sae * encoder.d_model
    return (
        f"reads {read / 1e9:.2f} GB of encoder rows, {sizes.buffers} blocks of "
        f"{sizes.feature_block} at a time; holds at most about {sizes.megabytes} MB; "
        f"multiplies {operations / 1e12:.2f} TFLOP in {kind} on {place}"
    )


def _host(
    encoder: Encoder, x: np.ndarray, kind: str, threads: int, sizes: Sizes, card_mb: int | None
) -> int:
    """Megabytes of the processor's memory; the file of x is mapped and counts."""
    numbers, block = x.size, sizes.feature_block * encoder.d_model
    # Formats that keep features as columns gather each block in a second piece of memory.
    held = x.nbytes + (sizes.buffers + READERS) * block * encoder.stored.itemsize
    held += len(x) * (encoder.k or ENTRIES) * ENTRY + 100 * encoder.d_sae
    if card_mb is None:
        held += numbers * (6 if kind == "bfloat16" else 8 if encoder.centred else 4)
        wide = block * 4 if kind == "float32" else 0
        held += threads * (wide + 8 * sizes.feature_block * sizes.token_tile)
    program = PROGRAM_MB[kind] if card_mb is None else DRIVER_MB
    return program + -(-held // 10**6)


def _card(encoder: Encoder, x: np.ndarray, sizes: Sizes) -> int:
    """Megabytes of a card's memory: x as float32, unsorted, sorted, centred, narrowed; blocks."""
    block = sizes.feature_block * encoder.d_model
    held = (16 if encoder.centred else 12) * x.size
    held += sizes.buffers * block * (4 + encoder.stored.itemsize)
    held += 16 * sizes.feature_block * sizes.token_tile
    return CARD_MB + -(-held // 10**6)
