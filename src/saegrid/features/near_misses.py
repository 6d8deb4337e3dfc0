"""Near misses of each feature: tokens spelled like those that it fires on, where it is silent.

They show what a list of activations hides: a feature of the bank of a river is silent at a bank
with money, one of the spelling is never silent at all.
"""

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features
from saegrid.features import ordering
from saegrid.features.density import counted
from saegrid.features.examples import Entries, by_range
from saegrid.features.shares import Spelled
from saegrid.features.windows import Chosen, example_table

SPELLINGS = 3
"""Commonest spellings of a feature of which near misses are drawn."""
POOL = 32
"""Tokens of a spelling, drawn by seed, among which they are looked for."""
STREAM = 2
"""Stream of random numbers, beside those of `examples`."""


def near_misses(
    features: Features,
    table: pa.Table,
    tokens: pa.Table,
    kept: np.ndarray,
    cut: float = 0.0,
    near: int = 3,
    seed: int = 0,
    window: tuple[int, int] = (5, 5),
    layout: str = "headline",
) -> pa.Table:
    """near_misses.parquet: up to `near` silent masked tokens of every feature shown.

    The columns of `top_tokens`, activations 0, those of the commonest spelling first. Spellings are
    the `SPELLINGS` on which the feature fires most often; a draw depends on seed, feature and token
    alone.
    """
    masked = counted(tokens, kept, features.token, layout).masked
    spelled = Spelled.of(tokens["text"])
    candidates = _Candidates(spelled.code, np.flatnonzero(masked), len(spelled.names), seed)

    def choose(entries: Entries) -> Chosen:
        return _drawn(entries, spelled.code, candidates, near, seed)

    chosen = Chosen(*by_range(features, table, masked, cut, choose))
    return example_table(features, tokens, chosen, window)


class _Candidates:
    """At most `POOL` masked tokens of each spelling, the same ones for all features."""

    def __init__(self, code: np.ndarray, token: np.ndarray, n_codes: int, seed: int) -> None:
        nothing = np.zeros(len(token), np.int64)
        lot = ordering.draw(seed, STREAM, np.zeros(1, np.int64), nothing, token)
        order = ordering.order(code[token], lot)
        token = token[order]
        first = ordering.number(code[token]) < POOL
        self.token = token[first]
        self.starts = np.searchsorted(code[self.token], np.arange(n_codes + 1))

    def of(self, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of some spellings (pair,) and their tokens, one line a token."""
        size = self.starts[code + 1] - self.starts[code]
        which = np.repeat(np.arange(len(code)), size)
        place = np.arange(len(which)) - np.repeat(np.cumsum(size) - size, size)
        return which, self.token[self.starts[code][which] + place]


def _drawn(
    entries: Entries, code: np.ndarray, candidates: _Candidates, near: int, seed: int
) -> Chosen:
    """The near misses of the features of some entries."""
    width = np.int64(len(code) + 1)  # of spellings, and of tokens
    keys, count = np.unique(entries.place * width + code[entries.token], return_counts=True)
    place, own = np.divmod(keys, width)
    order = np.lexsort((own, -count, place))
    rank = ordering.number(place[order])
    order, rank = order[rank < SPELLINGS], rank[rank < SPELLINGS]
    which, token = candidates.of(own[order])
    rank, place = rank[which], place[order][which]
    active = np.sort(entries.place * width + entries.token)
    asked = place * width + token
    at = np.minimum(np.searchsorted(active, asked), max(len(active) - 1, 0))
    silent = active[at] != asked if len(active) else np.ones(len(asked), bool)
    rank, place, token = rank[silent], place[silent], token[silent]
    lot = ordering.draw(seed, STREAM, entries.features, place, token)
    order = np.lexsort((lot, rank, place))
    number = ordering.number(place[order])
    order, number = order[number < near], number[number < near]
    nothing = np.zeros(len(order), np.float32)
    return Chosen(entries.features[place[order]], number, token[order], nothing)
