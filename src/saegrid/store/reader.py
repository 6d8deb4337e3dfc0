"""A reader of the shards of a site, which waits for those that are still to come."""

import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import Tensors, open_tensors
from saegrid.saes.cache.locks import open_lock, try_flock
from saegrid.store.manifest import LOCK, read_manifest, shard_path
from saegrid.store.settings import StoreError

WAIT = 0.2
"""Seconds between two looks at the manifest."""
PATIENCE = 10.0
"""Seconds that a reader waits for a store that nobody fills. Where several jobs need a store,
another goes on filling it after one is killed."""
LARGE = 8 << 30
"""Bytes of a site from which on its shards are dropped from the kernel's cache: they would be
evicted before they are read again, and much else with them."""


class Reader:
    """A reader of the shards of a site, in order; it waits for a missing shard as long as a process
    fills the store."""

    def __init__(self, folder: Path, site: str) -> None:
        """Open a site of the store in a folder; StoreError if the store has no such site."""
        self.folder, self.site = folder, site
        self.manifest = read_manifest(folder)
        has = sorted(self.manifest.widths) if self.manifest else []
        if self.manifest is None or site not in has:
            raise StoreError(f"{folder} holds no site {site}; it holds {', '.join(has) or 'none'}.")
        self.width = self.manifest.widths[site]

    def numbers(self, stop: Event | None = None) -> Iterator[int]:
        """The numbers of all shards, each as soon as it is written; they end early if `stop` is
        set."""
        stop = stop or Event()
        for number in count():
            if not self._wait(number, stop):
                return
            yield number

    def _wait(self, number: int, stop: Event) -> bool:
        """Wait for a shard; return True if it is written, False if it will not come."""
        seen = time.monotonic()
        while not self._knows(number) and not stop.is_set():
            # Asked before the manifest is read: who has ended by now has written all it will.
            if _is_locked(self.folder / LOCK):
                seen = time.monotonic()
            self.manifest = read_manifest(self.folder) or self.manifest
            if self._knows(number):
                break
            if time.monotonic() - seen > PATIENCE:
                raise StoreError(
                    f"{self.folder}: shard {number} of {self.site} is not there, and nobody is "
                    "filling the store. Fill it again: it goes on where it stopped."
                )
            stop.wait(WAIT)
        return self.manifest.n_written(self.site) > number

    def _knows(self, number: int) -> bool:
        """Return True if a shard is written, or is known not to come."""
        manifest = self.manifest
        return manifest.n_written(self.site) > number or manifest.is_complete(self.site)

    def _open(self, number: int) -> Tensors:
        path = shard_path(self.folder, self.site, number)
        try:
            return open_tensors(path)
        except CheckpointError as problem:
            raise StoreError(
                f"{problem}\nIt is shard {number} of {self.site} of a store, which makes it again "
                f"as it was: delete it and {self.folder / self.site}.json, and run again."
            ) from None

    def entries(self, number: int) -> int:
        """Number of entries of a shard."""
        return self.manifest.shards[number].entries

    def texts(self, number: int) -> np.ndarray:
        """(entry,) int64: the number of the text of each entry of a shard."""
        return np.array(self._open(number).arrays["row"])

    def read(self, number: int, n: int, out: np.ndarray | None = None) -> np.ndarray:
        """The first n entries of a shard: x (n, channel) as stored, read into `out` if it is
        passed."""
        tensors = self._open(number)
        matrix = tensors.matrix("x", (self.entries(number), self.width))
        x = matrix.rows(0, n, out) if n else np.empty((0, self.width), matrix.dtype)
        size = sum(shard.entries for shard in self.manifest.shards) * x.dtype.itemsize * self.width
        if size > LARGE and hasattr(os, "posix_fadvise"):
            with shard_path(self.folder, self.site, number).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return x

    def read_all(self, numbers: list[int], room: np.ndarray | None = None) -> np.ndarray:
        """The entries x (entry, channel) of some shards, one below the other.

        They are read into the head of `room` if it suffices; it is then returned, and may be
        longer.
        """
        stops = np.cumsum([0, *map(self.entries, numbers)])
        x = room
        if x is None or len(x) < stops[-1]:
            x = np.empty((stops[-1], self.width), self.read(numbers[0], 0).dtype)
        for number, start, stop in zip(numbers, stops, stops[1:], strict=False):
            self.read(number, int(stop - start), x[start:stop])
        return x


def _is_locked(path: Path) -> bool:
    """Return True if a process holds the lock of the store, and so fills it."""
    with open_lock(path) as lock:
        return not try_flock(lock, "LOCK_SH")
