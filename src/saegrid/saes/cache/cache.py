"""The cache of checkpoints: leases on them, fetching, and deletion when room is needed."""

import hashlib
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from saegrid.base.digest import memory
from saegrid.base.errors import CheckpointError
from saegrid.base.io import canonical
from saegrid.base.paths import expand
from saegrid.saes.cache.download import Remote, fetch
from saegrid.saes.cache.locks import alone, flock, open_lock, taken

FOLDER, BUDGET = "SAEGRID_HUB_CACHE", "SAEGRID_HUB_BUDGET_GB"
"""Names of the environment variables with `hub.cache` and `hub.budget_gb` of the config."""
DEFAULTS = {FOLDER: "checkpoints", BUDGET: "60"}
GB = 10**9
NAME = re.compile(r"[^/]+-[0-9a-f]{12}")
SPENT = 0
"""Time of last use that marks a checkpoint which nobody needs soon."""


class Lease:
    """A lease on a checkpoint's folder: one from the hub stays until the lease is released or
    collected."""

    def __init__(self, folder: Path, lock: BinaryIO | None = None) -> None:
        self.folder, self._lock = folder, lock

    def release(self, spent: bool = False) -> None:
        """Give the folder back; with `spent` it is the first to go when room is needed."""
        if self._lock is not None:
            if spent:
                with suppress(FileNotFoundError):  # someone has cleared the cache by hand
                    os.utime(self.folder, (SPENT, SPENT))
            self._lock.close()
            self._lock = None

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class _Entry(NamedTuple):
    """A checkpoint in the cache, whole or half fetched."""

    name: str
    path: Path
    size: int
    used: float

    @property
    def whole(self) -> bool:
        return self.path.name == self.name

    @property
    def wanted(self) -> bool:
        """True where a whole checkpoint was fetched for a later job and is not marked as spent."""
        return self.whole and self.used > SPENT

    @property
    def rank(self) -> tuple[bool, bool, float, str]:
        """Rank in deletion: the spent go first, then the half fetched, then those used longest
        ago."""
        return (self.wanted, not self.whole, self.used, self.name)


@dataclass(frozen=True)
class Cache:
    """A folder for checkpoints from the hub."""

    folder: Path
    budget: int
    """Most bytes that all checkpoints of the folder take together."""
    grace: float = 30.0
    """Seconds without a reader after which checkpoints that were fetched for later jobs may go."""
    poll: float = 0.5
    """Seconds between two looks for room."""

    @classmethod
    def of_environment(cls) -> "Cache":
        """The cache that the environment names; the rules set it from the config."""
        folder, budget = (os.environ.get(key, DEFAULTS[key]) for key in (FOLDER, BUDGET))
        return cls(Path(expand(folder)), round(float(budget) * GB))

    def lease(self, name: str, files: Callable[[], dict[str, Remote]]) -> Lease:
        """A lease on a checkpoint's folder, which is fetched first if it is missing.

        A job takes one lease at a time: two jobs that each hold one and wait for the other's would
        wait for ever.

        Args:
            name: name of the checkpoint, see `name_of`.
            files: returns the files to be fetched, by path in the folder; called only if they are.

        Raises:
            CheckpointError: the checkpoint cannot be fetched, or does not fit.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock, whole = open_lock(self._lock(name)), self.folder / name
        busy = f"{name}: waiting for another job that fetches it"
        try:
            while True:
                flock(lock, "LOCK_SH", busy)
                if whole.is_dir():
                    os.utime(whole)
                    return Lease(whole, lock)
                # Given up before it is taken anew: two jobs that wait to make a shared lock
                # exclusive would wait for each other on a network disk.
                flock(lock, "LOCK_UN")
                flock(lock, "LOCK_EX", busy)
                if not whole.is_dir():
                    self._fetch(name, files(), lock)
                flock(lock, "LOCK_UN")
        except BaseException:
            lock.close()
            raise

    def _lock(self, name: str) -> Path:
        return self.folder / f"{name}.lock"

    def _fetch(self, name: str, files: dict[str, Remote], lock: BinaryIO) -> None:
        part = self.folder / f"{name}.part"
        _promise(lock, 0)  # a killed job may have left its own
        self._reserve(name, sum(file.size for file in files.values()), lock)
        for path, remote in files.items():
            fetch(remote, part / path)
        with alone(self._lock("budget")):
            os.utime(part)
            part.rename(self.folder / name)
        for path, remote in files.items():
            if len(remote.checksum) == 64:  # checked on all bytes just now
                memory().trust(self.folder / name / path, remote.checksum)

    def _reserve(self, name: str, need: int, lock: BinaryIO) -> None:
        """Reserve `need` bytes of the budget; wait until they are free."""
        if need > self.budget:
            raise CheckpointError(
                f"hub.budget_gb is {_gb(self.budget)}, but the checkpoint {name} alone takes "
                f"{need} bytes. Set hub.budget_gb to {_gb(need, up=True)} or more."
            )
        part = self.folder / f"{name}.part"
        quiet, waiting = time.monotonic(), False
        while True:
            with alone(self._lock("budget")):
                patient = time.monotonic() - quiet < self.grace
                short, read = self._make_room(name, need, patient)
                if short <= 0:
                    # Others count the promise by the folder it belongs to.
                    part.mkdir(exist_ok=True)
                    _promise(lock, need)
                    return
                # Two jobs that wait must not keep room from each other.
                _remove(part)
            if read:
                quiet = time.monotonic()
            if not waiting:
                print(
                    f"{name}: waiting for {short} of {need} bytes in {self.folder} (hub.budget_gb "
                    f"is {_gb(self.budget)}; being read: {', '.join(read) or 'none'})",
                    flush=True,
                )
            waiting = True
            time.sleep(self.poll)

    def _make_room(self, name: str, need: int, patient: bool) -> tuple[int, list[str]]:
        """Delete checkpoints that may go; return the bytes still missing and the checkpoints in
        use.

        While `patient`, those fetched for a later job stay: as long as others read theirs, room
        will come from these, and fetching one twice would cost more than the wait.
        """
        have = min(_size(self.folder / f"{name}.part"), need)
        idle, read, used, to_come = [], [], 0, 0
        with ExitStack() as stack:
            for entry in self._entries(but=name):
                size = entry.size
                if taken(stack, self._lock(entry.name)):
                    idle.append(entry)
                elif entry.whole:
                    read.append(entry.name)
                else:
                    size = max(size, int(self._lock(entry.name).read_bytes() or 0))
                used += size
                to_come += size - entry.size
            free = shutil.disk_usage(self.folder).free - to_come
            if need - have > free + used:
                raise CheckpointError(
                    f"{self.folder}: the checkpoint {name} takes {need - have} bytes more, and the "
                    f"disk would not have them without all other checkpoints ({free + used} bytes)."
                    " Free some, or name a folder on another disk: hub.cache"
                )
            short = max(used + need - self.budget, need - have - free)
            for entry in sorted(idle, key=lambda entry: entry.rank):
                if short > 0 and not (patient and entry.wanted):
                    print(f"{entry.name}: deleted, {entry.size} bytes", flush=True)
                    _remove(entry.path)
                    short -= entry.size
        return short, read

    def _entries(self, but: str) -> list[_Entry]:
        """The entries that take room: those with a lock of this cache, as the folder may hold
        others."""
        entries = []
        for lock in sorted(self.folder.glob("*.lock")):
            if NAME.fullmatch(lock.stem) and lock.stem != but:
                for path in (lock.with_suffix(""), lock.with_suffix(".part")):
                    if path.is_dir():
                        entry = _Entry(lock.stem, path, _size(path), path.stat().st_mtime)
                        entries.append(entry)
        return entries


def name_of(repo: str, folder: str, revision: str, files: Sequence[str]) -> str:
    """The name of a checkpoint in the cache: its folder's name on the hub, and a digest of all."""
    whole = canonical([repo, folder, revision, list(files)])
    digest = hashlib.sha256(whole.encode()).hexdigest()[:12]
    return f"{(folder or repo).rstrip('/').rpartition('/')[2]}-{digest}"


def _promise(lock: BinaryIO, need: int) -> None:
    """Write into a lock file the bytes that its holder may take."""
    lock.truncate(0)
    lock.write(str(need).encode())
    lock.flush()
    os.fsync(lock.fileno())


def _size(path: Path) -> int:
    """Number of bytes of the files in a folder, to which another job may be writing."""
    size = 0
    for file in path.rglob("*"):
        with suppress(FileNotFoundError):
            size += file.stat().st_size if file.is_file() else 0
    return size


def _remove(path: Path) -> None:
    """Delete a folder of the cache; a rename first makes it a half-fetched checkpoint."""
    part = path if path.suffix == ".part" else path.with_name(f"{path.name}.part")
    if path != part:
        shutil.rmtree(part, ignore_errors=True)
        path.rename(part)
    shutil.rmtree(part, ignore_errors=True)


def _gb(size: int, up: bool = False) -> str:
    """Bytes in GB with three digits, rounded up where asked."""
    digits = 2 - math.floor(math.log10(size / GB))
    rounded = (math.ceil if up else round)(size / GB * 10**digits) / 10**digits
    return f"{rounded:g}"
