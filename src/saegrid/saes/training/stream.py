"""Streams of activations: training tokens in shuffled batches, and held-out tokens."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from saegrid.base.io import read_table
from saegrid.base.tensors import open_tensors, widen
from saegrid.saes.joined import Joined, open_rows
from saegrid.saes.sae import blocks
from saegrid.text.split import held_out, texts_of

BLOCK = 8192
"""Number of tokens that are read at a time."""


class Stream(Protocol):
    """Activations (token, d_model) in raw units, cut into training and held-out tokens.

    Every method may be called from several threads at a time.
    """

    d_model: int
    n_train: int
    """Number of training tokens, one pass. It is known of a store in filling only at its end."""

    def exceeds(self, n: int) -> bool:
        """Return True if a pass has more than n training tokens; wait until that is known."""

    def moments(self) -> tuple[float, np.ndarray, float]:
        """Mean norm, mean (d_model,) and mean squared distance from it of the training tokens, in
        float64."""

    def sample(self, n: int, seed: int) -> np.ndarray:
        """A random sample (n, d_model) float32 of training tokens; all of them if there are
        fewer."""

    def batches(self, batch: int, seed: int, start: int) -> Iterator[np.ndarray]:
        """Batches (batch, d_model) float32 of an endless shuffled sequence, from batch `start` on.

        The sequence is one permutation of the training tokens after the other, and depends on the
        arguments alone.
        """

    def held_out(self) -> Iterator[np.ndarray]:
        """Blocks (n, d_model) float32 of the held-out tokens, in the order of the file."""

    def measured(self, most: int) -> np.ndarray:
        """At most `most` held-out tokens (n, d_model) float32 to measure on while training."""


class Rows:
    """A stream over activations that can be read at any row: an array, or files mapped as one."""

    def __init__(self, x: np.ndarray | Joined, held: np.ndarray, where: str) -> None:
        """Set up the stream.

        Args:
            x: raw activations (token, d_model).
            held: (token,) bool, True where a token is held out.
            where: name of x in messages.

        Raises:
            ValueError: there are fewer than two training tokens.
        """
        self.x, self.where, self.d_model = x, where, x.shape[1]
        self.train, self.held = np.flatnonzero(~held), np.flatnonzero(held)
        self.n_train = len(self.train)
        if self.n_train < 2:
            raise ValueError(f"{where}: training needs tokens; got {self.n_train} of {len(held)}.")

    def _read(self, rows: np.ndarray) -> np.ndarray:
        return widen(self.x[rows])

    def exceeds(self, n: int) -> bool:
        """See Stream."""
        return self.n_train > n

    def moments(self) -> tuple[float, np.ndarray, float]:
        """See Stream; ValueError names a row with NaN or infinity."""
        norm, square, total = 0.0, 0.0, np.zeros(self.d_model)
        for start, stop in blocks(self.n_train, BLOCK):
            rows = self.train[start:stop]
            part = self._read(rows).astype(np.float64)
            if not np.isfinite(part).all():
                bad = rows[~np.isfinite(part).all(axis=1)][0]
                raise ValueError(f"{self.where}: row {bad} of x holds NaN or infinity.")
            squares = np.einsum("td,td->t", part, part)
            norm += np.sqrt(squares).sum()
            square += squares.sum()
            total += part.sum(axis=0)
        mean = total / self.n_train
        return norm / self.n_train, mean, square / self.n_train - mean @ mean

    def sample(self, n: int, seed: int) -> np.ndarray:
        """See Stream."""
        chosen = np.random.default_rng(seed).permutation(self.n_train)[:n]
        return self._read(self.train[np.sort(chosen)])

    def batches(self, batch: int, seed: int, start: int) -> Iterator[np.ndarray]:
        """See Stream."""
        number, skip = divmod(batch * start, self.n_train)
        pool = self._order(seed, number)[skip:]
        while True:
            while len(pool) < batch:
                number += 1
                pool = np.concatenate([pool, self._order(seed, number)])
            yield self._read(pool[:batch])
            pool = pool[batch:]

    def _order(self, seed: int, number: int) -> np.ndarray:
        """The training rows in the order of one pass."""
        return np.random.default_rng([seed, number]).permutation(self.train)

    def held_out(self) -> Iterator[np.ndarray]:
        """See Stream."""
        for start, stop in blocks(len(self.held), BLOCK):
            yield self._read(self.held[start:stop])

    def measured(self, most: int) -> np.ndarray:
        """See Stream; the tokens are evenly spaced."""
        return evenly(self.held_out(), most)


def of_array(x: np.ndarray, share: float, seed: int, row: np.ndarray | None = None) -> Rows:
    """A stream over an array x (token, d_model).

    Args:
        x: raw activations.
        share: share of the texts that is held out, see `split.held_out`.
        seed: seed of the choice of held-out texts.
        row: (token,) number of each token's text; None: each token is a text.
    """
    row = np.arange(len(x)) if row is None else row
    return Rows(x, held_out(row, share, seed), "x")


def of_files(paths: Sequence[str | Path], row: np.ndarray, share: float, seed: int) -> Rows:
    """A stream over activations files, those of all shards in order.

    Args:
        paths: files with x (token, d_model) and token (token,).
        row: (token index,) number of the text of each token of the corpus, see `split.texts_of`.
        share: share of the texts that is held out, see `split.held_out`.
        seed: seed of the choice of held-out texts.
    """
    token = np.concatenate([open_tensors(path).arrays["token"] for path in paths])
    held = held_out(row[token], share, seed)
    return Rows(open_rows(paths), held, ", ".join(map(str, paths)))


Opener = Callable[[float, int], Stream]
"""Function of the share that is held out and the seed of the choice that opens a stream."""


def files(paths: Sequence[str | Path], tokens: str | Path) -> Opener:
    """The opener of activations files, those of all shards, with the tokens.parquet of their
    corpus."""

    def opened(share: float, seed: int) -> Rows:
        table = read_table(tokens, ["row", "group"])
        text = texts_of(table["row"].to_numpy(), table["group"].to_numpy())
        return of_files(paths, text, share, seed)

    return opened


def evenly(parts: Iterator[np.ndarray], most: int) -> np.ndarray:
    """At most `most` rows (n, d_model) of all parts, evenly spaced; at least half as many if the
    parts have them."""
    kept: list[np.ndarray] = []
    stride, seen = 1, 0
    for part in parts:
        kept.append(part[-seen % stride :: stride])
        seen += len(part)
        while sum(map(len, kept)) > most:
            kept, stride = [np.concatenate(kept)[::2]], 2 * stride
    return np.concatenate(kept) if kept else np.empty((0, 0), np.float32)
