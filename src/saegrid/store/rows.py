"""Rows of tokens from texts, gathered shard by shard."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np

from saegrid.models.tiles import Rows
from saegrid.store.settings import Settings, StoreError
from saegrid.store.texts import Offset, Text
from saegrid.text.corpora.text import parts
from saegrid.text.tokenizer import Encoder

AHEAD, CHARACTERS = 256, 1 << 20
"""Number of texts that are tokenised at a time, and number of characters that ends such a batch."""


class Gathered(NamedTuple):
    """The rows of a shard."""

    rows: Rows
    real: np.ndarray
    """(token,) bool: True where a token is not special."""
    text: np.ndarray
    """(row,) int64: number of the text that a row belongs to."""
    piece: np.ndarray
    """(row,) int64: number of the row in its text."""
    entries: int
    """Number of entries that the shard will hold."""
    begin: Offset
    end: Offset
    set_aside: dict[str, dict[str, int]]
    """Texts that cannot be used, by reason: their number `n`, and the number of the `first`."""
    last: bool
    """True where the stream ends with this shard."""


class Pieces(NamedTuple):
    """A text with its rows of token ids."""

    text: Text
    rows: list[np.ndarray]


class Rower:
    """A maker of rows from texts, by the settings of a store."""

    def __init__(self, encoder: Encoder, settings: Settings, context: int) -> None:
        """Set up the lengths of rows; context: number of positions that the model takes.

        Raises:
            StoreError: a row has no room for text.
        """
        self.encoder, self.settings = encoder, settings
        length = min(settings.max_length or context, context)
        self.before = np.array([s.id for s in encoder.prefix], np.int64)
        self.after = np.array([s.id for s in encoder.suffix], np.int64)
        self.special = np.array(encoder.special_ids, np.int64)
        self.body = length - len(self.before) - len(self.after)
        if self.body < 1:
            raise StoreError(
                f"max_length: rows of {length} tokens have no room beside "
                f"{length - self.body} special ones. Set max_length higher."
            )

    def pieces(self, texts: Iterator[Text]) -> Iterator[Pieces]:
        """The rows of each text, in order; texts are tokenised some at a time."""
        while batch := list(_some(texts)):
            cut = [self._cut(text) for text in batch]
            encoded = self.encoder.encode(list(chain.from_iterable(cut)))
            bounds = pairwise(encoded.indptr.tolist())
            for text, parts_ in zip(batch, cut, strict=True):
                ids = [encoded.ids[a:b] for a, b in islice(bounds, len(parts_))]
                yield Pieces(text, list(chain.from_iterable(map(self.rows, ids))))

    def _cut(self, text: Text) -> list[str]:
        """Parts of a text with at most `max_characters` each; none if the text cannot be used."""
        if text.problem:
            return []
        strip = {"both": str.strip, "left": str.lstrip, "none": str}[self.settings.strip]
        cuts = parts(strip(text.text), self.settings.max_characters)
        return list(islice(cuts, 1 if self.settings.cut == "truncate" else None))

    def rows(self, ids: np.ndarray) -> list[np.ndarray]:
        """Rows of the token ids of a text, none longer than a row may be, each with its special
        tokens."""
        opening = len(self.before)
        if self.encoder.parses and opening and np.array_equal(ids[:opening], self.before):
            ids = ids[opening:]  # the text opens with them itself
        stop = min(len(ids), self.body) if self.settings.cut == "truncate" else len(ids)
        starts = range(0, stop, self.body)
        return [
            np.concatenate([self.before, ids[a : min(a + self.body, stop)], self.after])
            for a in starts
        ]

    def real(self, row: np.ndarray) -> np.ndarray:
        """(token,) bool: True where a token of a row is not special."""
        return ~np.isin(row, self.special)


def _some(texts: Iterator[Text]) -> Iterator[Text]:
    """The next batch of texts that are tokenised together."""
    taken = 0
    for text in islice(texts, AHEAD):
        yield text
        taken += len(text.text)
        if taken > CHARACTERS:
            return


class Gatherer:
    """A cutter of shards from a stream of pieces that begins at an offset."""

    def __init__(self, rower: Rower, pieces: Iterator[Pieces], at: Offset) -> None:
        self.rower, self.settings, self.offset = rower, rower.settings, at
        self.pieces = pieces
        self.next = next(pieces, None)

    def _more(self) -> bool:
        """Return True if another text comes that is asked for."""
        settings, offset = self.settings, self.offset
        return (
            self.next is not None
            and (settings.max_texts is None or offset.text < settings.max_texts)
            and (settings.max_tokens is None or offset.token < settings.max_tokens)
        )

    def shard(self) -> Gathered:
        """The rows of the next shard: whole texts until it is full or the stream ends."""
        begin, entries = self.offset, 0
        rows: list[np.ndarray] = []
        reals: list[np.ndarray] = []
        text: list[int] = []
        piece: list[int] = []
        aside: dict[str, dict[str, int]] = {}
        while entries < self.settings.shard_tokens and self._more():
            pieces, number = self.next, self.offset.text
            real = [self.rower.real(row) for row in pieces.rows]
            kept = [int(mask.sum()) for mask in real]
            problem = pieces.text.problem or ("no token" if not any(kept) else None)
            if problem:
                aside.setdefault(problem, {"n": 0, "first": number})["n"] += 1
            rows += pieces.rows
            reals += real
            text += [number] * len(pieces.rows)
            piece += range(len(pieces.rows))
            entries += sum(kept) if self.settings.choice == "all" else sum(map(bool, kept))
            self.offset = Offset(
                pieces.text.file, pieces.text.index + 1, number + 1, self.offset.token + sum(kept)
            )
            self.next = next(self.pieces, None)
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return Gathered(
            Rows(_flat(rows, np.int64), starts),
            _flat(reals, bool),
            np.array(text, np.int64),
            np.array(piece, np.int64),
            entries,
            begin,
            self.offset,
            aside,
            not self._more(),
        )


def _flat(parts_: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts_]).astype(dtype)
