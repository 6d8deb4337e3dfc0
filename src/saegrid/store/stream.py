"""The stream of shuffled batches from a store, also while it is being filled.

Whole shards are read one after the other into a window of some shards, whose rows are then
permuted: at the speed of the disk, and well mixed. A first pass takes the shards in their order, so
that it can follow whoever fills the store; later ones permute them. The order follows from the seed
alone, whether the store is complete or not.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, Self

import numpy as np

from saegrid.base.tensors import widen
from saegrid.saes.training.stream import evenly
from saegrid.store.reader import Reader
from saegrid.store.settings import StoreError
from saegrid.text.split import held_out

WINDOW = 4
"""Number of shards whose rows are mixed."""
SAMPLE = 100_000
"""Number of training tokens, the first of the store, that moments and small samples come from."""
BLOCK = 8192
"""Number of tokens of a block, of held-out ones or in a sum."""


class Part(NamedTuple):
    """Rows of some shards, with the order in which they are taken."""

    x: np.ndarray
    """(entry, channel): activations as stored."""
    order: np.ndarray
    """(n,) int64: indices of the rows that are taken, in order."""


class StoreStream:
    """A stream over the activations of a site of a store, in raw units; see `Stream`."""

    def __init__(
        self,
        folder: str | Path,
        site: str,
        hold_out: float = 0.0,
        seed: int = 0,
        window: int = WINDOW,
    ) -> None:
        """Open a stream; reading waits for shards as long as a process fills the store.

        Args:
            folder: folder of the store.
            site: site whose activations are read.
            hold_out: share of the texts that is held out, see `split.held_out`.
            seed: seed of the choice of held-out texts.
            window: number of shards that are mixed; two windows are held in memory.

        Raises:
            StoreError: the store has no such site.
        """
        self.reader = Reader(Path(folder), site)
        self.hold_out, self.seed, self.window = hold_out, seed, window
        self.d_model = self.reader.width
        self._counts: dict[int, int] = {}
        self._known = 0  # training tokens that are there at least
        self._all: int | None = None  # of a complete store

    @classmethod
    def of(cls, facts: str | Path, **more: Any) -> Self:
        """The stream of the site that a facts file describes (`L0R.json`, beside its shards)."""
        path = Path(facts)
        return cls(path.parent, path.stem, **more)

    @property
    def n_train(self) -> int:
        """Number of training tokens of a pass; waits until the store is complete."""
        if self._all is None:
            self._all = sum(self._count(number) for number in self.reader.numbers())
        return self._all

    def exceeds(self, n: int) -> bool:
        """Return True if a pass has more than n training tokens; wait until that is known."""
        if self._known > n or self._all is not None:
            return max(self._known, self._all or 0) > n
        known = 0
        for number in self.reader.numbers():
            known += self._count(number)
            if known > n:
                break
        else:
            self._all = known
        self._known = known
        return known > n

    def moments(self) -> tuple[float, np.ndarray, float]:
        """Mean norm, mean (d_model,) and mean squared distance from it, in float64.

        They are taken over the first `SAMPLE` training tokens; later ones do not count.
        """
        n, norm, square, total = 0, 0.0, 0.0, np.zeros(self.d_model)
        for block in self._first(SAMPLE):
            part = block.astype(np.float64)
            squares = np.einsum("td,td->t", part, part)
            n, norm, square = n + len(part), norm + np.sqrt(squares).sum(), square + squares.sum()
            total += part.sum(axis=0)
        if not n:
            raise self._nothing()
        mean = total / n
        return float(norm / n), mean, float(square / n - mean @ mean)

    def sample(self, n: int, seed: int) -> np.ndarray:
        """A random sample (n, d_model) float32 of the first max(n, `SAMPLE`) training tokens, each
        at most once; all of them if there are fewer than n."""
        most = max(n, SAMPLE)
        known = sum(len(part.order) for part in self._parts(False, most, read=False))
        chosen = np.random.default_rng(seed).permutation(known)[:n]
        sample, begin = np.empty((len(chosen), self.d_model), np.float32), 0
        for block in self._first(most):
            here = (chosen >= begin) & (chosen < begin + len(block))
            sample[here] = block[chosen[here] - begin]
            begin += len(block)
        return sample

    def held_out(self) -> Iterator[np.ndarray]:
        """Blocks (token, d_model) float32 of the held-out tokens, in the order of the texts."""
        yield from self._packed(self._parts(True), BLOCK)

    def measured(self, most: int) -> np.ndarray:
        """At most `most` held-out tokens (n, d_model) float32, evenly spaced, of the shards that
        `moments` reads."""
        return evenly(self._packed(self._first_held(), BLOCK), most)

    def batches(self, batch: int, seed: int, start: int = 0) -> Iterator[np.ndarray]:
        """Batches (batch, d_model) float32 of training tokens without end, from number `start` on.

        Each pass gives every training token once. A late start reads of earlier shards the numbers
        of their rows alone.
        """
        stop = Event()
        with closing(_ahead(self._windows(seed, start * batch, stop), stop)) as windows:
            yield from self._packed(windows, batch)

    # --- parts -----------------------------------------------------------------------------

    def _held(self, number: int) -> np.ndarray:
        """(entry,) bool: True where an entry of a shard is held out."""
        held = held_out(self.reader.texts(number), self.hold_out, self.seed)
        self._counts[number] = len(held) - int(held.sum())
        return held

    def _count(self, number: int) -> int:
        """Number of training tokens of a shard."""
        if number not in self._counts:
            self._held(number)
        return self._counts[number]

    def _parts(self, held: bool, most: int | None = None, read: bool = True) -> Iterator[Part]:
        """The held-out or the training tokens, in order and shard by shard, at most `most` of
        them."""
        for number in self.reader.numbers():
            order = np.flatnonzero(self._held(number) == held)[:most]
            n = int(order[-1]) + 1 if len(order) else 0
            yield Part(self.reader.read(number, n) if read else np.empty(0), order)
            if most is not None:
                most -= len(order)
                if not most:
                    return

    def _first(self, most: int) -> Iterator[np.ndarray]:
        return self._packed(self._parts(False, most), BLOCK)

    def _first_held(self) -> Iterator[Part]:
        """The held-out tokens of the shards with the first `SAMPLE` training tokens."""
        seen = 0
        for part, number in zip(self._parts(True), count(), strict=False):
            yield part
            seen += self._count(number)
            if seen >= SAMPLE:
                return

    def _packed(self, parts: Iterator[Part], size: int) -> Iterator[np.ndarray]:
        """Blocks of `size` tokens, in the order of the parts; a shorter one comes last, if any are
        left."""
        raw, filled = None, 0
        for x, order in parts:
            done = 0
            while done < len(order):
                if raw is None:
                    raw, filled = np.empty((size, self.d_model), x.dtype), 0
                n = min(size - filled, len(order) - done)
                taken = order[done : done + n]
                np.take(x, taken, axis=0, out=raw[filled : filled + n], mode="clip")
                done, filled = done + n, filled + n
                if filled == size:
                    yield widen(raw)
                    raw = None
        if raw is not None:
            yield widen(raw[:filled])

    # --- windows ---------------------------------------------------------------------------

    def _groups(self, seed: int, stop: Event) -> Iterator[tuple[list[int], list[int]]]:
        """The shards of each window, with the seeds of its order, without end."""
        numbers: list[int] = []
        for number in self.reader.numbers(stop):
            numbers.append(number)
            if len(numbers) % self.window == 0:
                yield numbers[-self.window :], [seed, 0, number // self.window]
        if rest := len(numbers) % self.window:
            yield numbers[-rest:], [seed, 0, len(numbers) // self.window]
        if not any(map(self._count, numbers)) and not stop.is_set():
            raise self._nothing()
        for turn in count(1):
            order = np.random.default_rng([seed, turn]).permutation(numbers).tolist()
            for number, first in enumerate(range(0, len(order), self.window)):
                yield order[first : first + self.window], [seed, turn, number]

    def _windows(self, seed: int, skipped: int, stop: Event) -> Iterator[Part]:
        """The windows, read and permuted, after a number of skipped tokens."""
        # Two take turns, since fresh memory costs as much as reading: one is filled while the other
        # is in use.
        rooms: list[np.ndarray | None] = [None, None]
        for group, seeds in self._groups(seed, stop):
            if stop.is_set():
                return
            n = sum(map(self._count, group))
            if skipped >= n:
                skipped -= n
                continue
            held = np.concatenate([self._held(number) for number in group])
            order = np.random.default_rng(seeds).permutation(np.flatnonzero(~held))
            rooms = [rooms[1], self.reader.read_all(group, rooms[0])]
            yield Part(rooms[1], order[skipped:])
            skipped = 0

    def _nothing(self) -> StoreError:
        return StoreError(f"{self.reader.folder}: all texts are held out. Hold out fewer.")


def _ahead(parts: Iterator[Part], stop: Event) -> Iterator[Part]:
    """Yield the parts, reading each while the previous one is in use."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, parts, None)
        try:
            while (part := coming.result()) is not None:
                coming = pool.submit(next, parts, None)
                yield part
        finally:
            stop.set()
