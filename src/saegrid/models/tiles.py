"""Rows of tokens as tiles of fixed shape, so that a row's activations depend on the row alone.

The last bits of a product depend on the height of the batch (measured: MiniLM in float32 gives
other bits at 128 tokens than at 256) but, at one shape, neither on a row's place in the batch nor
on its neighbours (measured on CPU for stories3M in float32 and bfloat16, MiniLM in float32 and
Llama-3.1-8B's widths in bfloat16, rows of 8 to 128 tokens, one and two threads: equal bits). So a
tile's shape follows from a row's length and the kind of device; the last tile is filled with
blank rows. There is no batch setting.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

TILE_TOKENS = {"cpu": 512, "cuda": 4096}
"""Tokens of a tile with padding: on a CPU more are no faster, a GPU wants more work at once."""
ROUND = 8
"""Rows are padded to a multiple of this."""


class Rows(NamedTuple):
    """Rows of token ids, flat."""

    ids: np.ndarray
    """(token,) int64."""
    starts: np.ndarray
    """(row + 1,) int64: first token of each row, and the number of tokens."""

    def row_of(self, token: np.ndarray | int) -> np.ndarray:
        """The rows that hold these tokens."""
        return np.searchsorted(self.starts, token, side="right") - 1


Plan = list[tuple[tuple[int, int], np.ndarray]]
"""Shape (row, position) and row numbers of each tile."""


class Tile(NamedTuple):
    """Rows of one padded length, and what is kept of them."""

    ids: np.ndarray
    """(row, position) int64, 0 on padding."""
    seen: np.ndarray
    """(row, position) bool, False on padding; a blank row sees its first position."""
    source: np.ndarray
    """(kept,) int64: where a kept token is in the tile, row * length + position."""
    target: np.ndarray
    """(kept,) int64: where it goes, its rank among all kept tokens."""
    n_rows: int
    """Rows that are not blank."""
    n_tokens: int
    """Tokens that are not padding."""


def rows_of(tokens: pa.Table) -> Rows:
    """The rows of a tokens table; ValueError where they do not stand one after the other."""
    row = tokens["row"].to_numpy()
    position = tokens["position"].to_numpy()
    first = np.ones(len(row), dtype=bool)
    first[1:] = row[1:] != row[:-1]
    starts = np.append(np.flatnonzero(first), len(row))
    counted = np.arange(len(row)) - np.repeat(starts[:-1], np.diff(starts))
    number = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    wrong = np.flatnonzero((counted != position) | (number != row))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(
            f"tokens: rows and the positions in a row must count from 0 in order; token {at} has "
            f"row {row[at]} and position {position[at]}, expected row {number[at]} and position "
            f"{counted[at]}. Make the table anew."
        )
    return Rows(tokens["token_id"].to_numpy().astype(np.int64), starts.astype(np.int64))


def tile_shape(length: int, context: int, kind: str) -> tuple[int, int]:
    """Rows and positions of the tile for a row of `length` tokens on a kind of device."""
    padded = min(-(-length // ROUND) * ROUND, context)
    return max(1, TILE_TOKENS[kind] // padded), padded


def plan_tiles(rows: Rows, wanted: np.ndarray, context: int, kind: str) -> Plan:
    """Shape and row numbers of each tile; only rows with a wanted token, the longest first.

    Rows of one length are ordered by their ids, so that the order of the corpus does not matter.
    """
    used = np.unique(rows.row_of(wanted))
    shapes: dict[tuple[int, int], list[tuple[bytes, int]]] = {}
    for number in used.tolist():
        ids = rows.ids[rows.starts[number] : rows.starts[number + 1]]
        shape = tile_shape(len(ids), context, kind)
        shapes.setdefault(shape, []).append((ids.astype(">i8").tobytes(), number))
    tiles = []
    for shape in sorted(shapes, key=lambda shape: -shape[1]):
        numbers = np.array([number for _, number in sorted(shapes[shape])])
        tiles += [(shape, numbers[i : i + shape[0]]) for i in range(0, len(numbers), shape[0])]
    return tiles


def make_tile(rows: Rows, wanted: np.ndarray, shape: tuple[int, int], numbers: np.ndarray) -> Tile:
    """A tile of the rows `numbers`. wanted: (kept,) int64, token indices ascending."""
    ids, seen = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    source, target = [], []
    for place, number in enumerate(numbers.tolist()):
        start, stop = rows.starts[number : number + 2]
        ids[place, : stop - start] = rows.ids[start:stop]
        seen[place, : stop - start] = True
        low, high = np.searchsorted(wanted, [start, stop])
        source.append(wanted[low:high] - start + place * shape[1])
        target.append(np.arange(low, high))
    n_tokens = int(seen.sum())
    seen[len(numbers) :, 0] = True
    return Tile(ids, seen, np.concatenate(source), np.concatenate(target), len(numbers), n_tokens)


def make_tiles(rows: Rows, wanted: np.ndarray, context: int, kind: str) -> Iterator[Tile]:
    """All tiles, in order."""
    for shape, numbers in plan_tiles(rows, wanted, context, kind):
        yield make_tile(rows, wanted, shape, numbers)
