"""Tiles of rows, of fixed shapes, so that a row's activations depend on the row alone.

The last bits of a product depend on the height of the batch (measured: MiniLM in float32 gives
other bits at 128 tokens than at 256) but, at one shape, neither on a row's number in the batch nor
on its neighbours (measured on CPU for stories3M in float32 and bfloat16, MiniLM in float32 and
Llama-3.1-8B's widths in bfloat16, rows of 8 to 128 tokens, one and two threads: equal bits).
Therefore a tile's shape follows from a row's length and the kind of device, and the last tile is
filled with blank rows. There is no batch setting.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

TILE_TOKENS = {"cpu": 512, "cuda": 4096, "mps": 4096}
"""Number of tokens of a tile with padding: on a CPU more are no faster, a GPU needs more work."""
ROUND = 8
"""Multiple of tokens that rows are padded to."""


class Rows(NamedTuple):
    """The token ids of some rows, in flat arrays."""

    ids: np.ndarray
    """(token,) int64: token ids."""
    starts: np.ndarray
    """(row + 1,) int64: first token of each row, and the number of tokens."""

    def row_of(self, token: np.ndarray | int) -> np.ndarray:
        """The numbers of the rows that hold some tokens."""
        return np.searchsorted(self.starts, token, side="right") - 1


Plan = list[tuple[tuple[int, int], np.ndarray]]
"""Shapes (row, position) and row numbers of the tiles."""


class Tile(NamedTuple):
    """A tile: rows of one padded length, with the indices of their kept tokens."""

    ids: np.ndarray
    """(row, position) int64: token ids, 0 on padding."""
    seen: np.ndarray
    """(row, position) bool: False on padding; a blank row sees its first position."""
    source: np.ndarray
    """(kept,) int64: index of a kept token in the tile, row * length + position."""
    target: np.ndarray
    """(kept,) int64: rank of a kept token among all kept tokens."""
    n_rows: int
    """Number of rows that are not blank."""
    n_tokens: int
    """Number of tokens that are not padding."""


def rows_of(tokens: pa.Table) -> Rows:
    """The rows of a tokens table; ValueError if they are not in order."""
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


def tile_shape(length: int, context: int, kind: str, alone: bool = False) -> tuple[int, int]:
    """The shape (row, position) of the tile for a row of `length` tokens on a kind of device.

    alone: one row without padding, for models in which the height of a product follows from the
    tokens beside.
    """
    if alone:
        return 1, length
    padded = min(-(-length // ROUND) * ROUND, context)
    return max(1, TILE_TOKENS[kind] // padded), padded


def plan_tiles(
    rows: Rows, wanted: np.ndarray, context: int, kind: str, alone: bool = False
) -> Plan:
    """The shape and row numbers of each tile; rows with a wanted token only, the longest first.

    Rows of one length are ordered by their ids, so that the order of the corpus does not matter.
    """
    used = np.unique(rows.row_of(wanted))
    shapes: dict[tuple[int, int], list[tuple[bytes, int]]] = {}
    for number in used.tolist():
        ids = rows.ids[rows.starts[number] : rows.starts[number + 1]]
        shape = tile_shape(len(ids), context, kind, alone)
        shapes.setdefault(shape, []).append((ids.astype(">i8").tobytes(), number))
    tiles = []
    for shape in sorted(shapes, key=lambda shape: -shape[1]):
        numbers = np.array([number for _, number in sorted(shapes[shape])])
        tiles += [(shape, numbers[i : i + shape[0]]) for i in range(0, len(numbers), shape[0])]
    return tiles


def make_tile(rows: Rows, wanted: np.ndarray, shape: tuple[int, int], numbers: np.ndarray) -> Tile:
    """The tile of the rows `numbers`; wanted: (kept,) int64, token indices ascending."""
    ids, seen = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    source, target = [], []
    for line, number in enumerate(numbers.tolist()):
        start, stop = rows.starts[number : number + 2]
        ids[line, : stop - start] = rows.ids[start:stop]
        seen[line, : stop - start] = True
        low, high = np.searchsorted(wanted, [start, stop])
        source.append(wanted[low:high] - start + line * shape[1])
        target.append(np.arange(low, high))
    n_tokens = int(seen.sum())
    seen[len(numbers) :, 0] = True
    return Tile(ids, seen, np.concatenate(source), np.concatenate(target), len(numbers), n_tokens)


def make_tiles(rows: Rows, wanted: np.ndarray, context: int, kind: str) -> Iterator[Tile]:
    """All tiles of the rows with a wanted token, in order."""
    for shape, numbers in plan_tiles(rows, wanted, context, kind):
        yield make_tile(rows, wanted, shape, numbers)
