"""Reading the shards of a site, also of those that are still to come."""

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
"""Seconds between two looks at a manifest."""
PATIENCE = 10.0
"""Seconds without anybody filling a store before who waits for it gives up: where several jobs need
a store, another goes on in the place of one that was killed."""
LARGE = 8 << 30
"""Bytes of a site from which its shards are not kept in the kernel's cache: before one is read
again, it would have gone anyway, and much else with it."""


class Reader:
    """The shards of a site in order. Who asks for one that is not there waits for it as long as
    somebody fills the store."""

    def __init__(self, folder: Path, site: str) -> None:
        """StoreError where the store has no such site."""
        self.folder, self.site = folder, site
        self.manifest = read_manifest(folder)
        has = sorted(self.manifest.widths) if self.manifest else []
        if self.manifest is None or site not in has:
            raise StoreError(f"{folder} holds no site {site}; it holds {', '.join(has) or 'none'}.")
        self.width = self.manifest.widths[site]

    def numbers(self, stop: Event | None = None) -> Iterator[int]:
        """The numbers of all shards, as soon as each is there; ends early where `stop` is set."""
        stop = stop or Event()
        for number in count():
            if not self._wait(number, stop):
                return
            yield number

    def _wait(self, number: int, stop: Event) -> bool:
        """Whether a shard is there, when that is known."""
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
        return self.manifest.there(self.site) > number

    def _knows(self, number: int) -> bool:
        """Whether a shard is there, or known not to come."""
        manifest = self.manifest
        return manifest.there(self.site) > number or manifest.is_complete(self.site)

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
        """Entries of a shard."""
        return self.manifest.shards[number].entries

    def texts(self, number: int) -> np.ndarray:
        """(entry,) int64: numbers of the texts of a shard's entries."""
        return np.array(self._open(number).arrays["row"])

    def read(self, number: int, n: int, out: np.ndarray | None = None) -> np.ndarray:
        """x (n, channel) as stored, of the first entries of a shard; in `out` where it is given."""
        tensors = self._open(number)
        matrix = tensors.matrix("x", (self.entries(number), self.width))
        x = matrix.rows(0, n, out) if n else np.empty((0, self.width), matrix.dtype)
        size = sum(shard.entries for shard in self.manifest.shards) * x.dtype.itemsize * self.width
        if size > LARGE and hasattr(os, "posix_fadvise"):
            with shard_path(self.folder, self.site, number).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return x

    def read_all(self, numbers: list[int], room: np.ndarray | None = None) -> np.ndarray:
        """x (entry, channel) of some shards, one below the other: the head of `room` if it
        suffices, which may be longer."""
        stops = np.cumsum([0, *map(self.entries, numbers)])
        x = room
        if x is None or len(x) < stops[-1]:
            x = np.empty((stops[-1], self.width), self.read(numbers[0], 0).dtype)
        for number, start, stop in zip(numbers, stops, stops[1:], strict=False):
            self.read(number, int(stop - start), x[start:stop])
        return x


def _is_locked(path: Path) -> bool:
    """Whether somebody fills the store."""
    with open_lock(path) as lock:
        return not try_flock(lock, "LOCK_SH")
