"""The choice of entries: the tokens of each row that a store keeps."""

from typing import NamedTuple

import numpy as np

from saegrid.store.rows import Gathered
from saegrid.text.split import mix

NO_TOKEN = -1
"""Token id of an entry that is a mean."""


class Entries(NamedTuple):
    """The entries of a shard, in the order of the stream."""

    wanted: np.ndarray
    """(captured,) int64: indices of the tokens whose activations are needed, ascending."""
    first: np.ndarray
    """(entry,) int64: index in `wanted` at which an entry begins; a mean ends before the next
    one."""
    token: np.ndarray
    """(entry,) int64: number of the (first) token among the real tokens of the stream."""
    row: np.ndarray
    """(entry,) int64: number of the entry's text."""
    token_id: np.ndarray
    """(entry,) int32: id of the token; -1 for means."""


def entries_of(gathered: Gathered, choice: str, seed: int) -> Entries:
    """The entries of a shard by a choice: all, last, random or mean.

    The token of `random` follows from the seed, the number of the text and that of the row in it
    alone, not from the order of the texts or from their neighbours.
    """
    real = np.flatnonzero(gathered.real)
    owner = gathered.rows.row_of(real)
    opens = np.flatnonzero(np.diff(owner, prepend=-1))
    counts = np.diff(np.append(opens, len(real)))
    rows = owner[opens]
    if choice == "all":
        chosen = np.arange(len(real))
    elif choice == "last":
        chosen = opens + counts - 1
    elif choice == "random":
        chosen = opens + _drawn(gathered.text[rows], gathered.piece[rows], seed, counts)
    else:
        chosen = opens
    mean = choice == "mean"
    wanted = real if mean else real[chosen]
    first = opens if mean else np.arange(len(chosen))
    ids = gathered.rows.ids[real[chosen]].astype(np.int32)
    return Entries(
        wanted,
        first,
        gathered.begin.token + chosen,
        gathered.text[owner[chosen]],
        np.full_like(ids, NO_TOKEN) if mean else ids,
    )


def _drawn(text: np.ndarray, piece: np.ndarray, seed: int, n: np.ndarray) -> np.ndarray:
    """(row,) int64: a draw from 0..n - 1 for each row, uniform but for 2^-64 n."""
    lot = mix(np.full(len(text), seed, np.uint64))
    for part in (text, piece):
        with np.errstate(over="ignore"):
            lot = mix(lot + part.astype(np.uint64))
    return (lot % n.astype(np.uint64)).astype(np.int64)
