"""Short digests of texts and files: they stand in specs and in paths.

A file is known by all of its bytes. Large ones are read once: their digests are remembered by real
path, size, time of change and inode, in one file of the folder in which snakemake runs.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import NamedTuple

from saegrid.base.errors import size
from saegrid.base.io import atomic, canonical

MEMORY = "results/.digests.jsonl"
"""File in which digests are remembered: a line a file."""
REREAD = "SAEGRID_REREAD"
"""Environment variable: 1 has every file read again, whatever is remembered of it."""
SMALL = 1 << 20
"""Bytes up to which a file is simply read again."""
LONG = 10**9
"""Bytes from which reading is announced."""
EVERY = 10.0
"""Seconds between two lines about long reading."""
READERS = 4
"""Files that are read at a time: a CPU digests less than a disk gives."""
CHUNK = 1 << 22
SETTLED = 2 * 10**9
"""Nanoseconds after its last change in which a file may change again at the same time of change, as
disks tell it. A digest made sooner is not relied on."""
MANY = 256
"""Lines from which the memory is looked through for files that are gone."""


def digest(text: str) -> str:
    """Twelve hexadecimal digits that stand for `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_digest(path: str | os.PathLike[str]) -> str:
    """Sixteen hexadecimal digits of the sha256 of all bytes of a file."""
    return file_digests([path])[0]


def file_digests(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The digest of each file; long reading is announced on stderr.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a path is a device, a pipe or a folder, which is never read.
    """
    return [sha256[:16] for sha256 in memory().digests(list(map(Path, paths)))]


def content_digest(folder: str | os.PathLike[str], names: Iterable[str]) -> str:
    """Sixteen hexadecimal digits of some files of a folder: of their names in it and their bytes.

    Where the folder lies does not count, nor when the files were changed, nor what lies beside.
    """
    names = sorted(set(names))
    contents = file_digests(Path(folder) / name for name in names)
    return joint_digest(dict(zip(names, contents, strict=True)))


def joint_digest(contents: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits that stand for digests by name."""
    return hashlib.sha256(canonical(contents).encode()).hexdigest()[:16]


def memory(path: str | os.PathLike[str] | None = None) -> "Memory":
    """The memory of digests of the folder in which we run, or in another file."""
    place = str(Path(path or MEMORY).absolute())
    if place not in _MEMORIES:
        _MEMORIES[place] = Memory(Path(place))
    return _MEMORIES[place]


_MEMORIES: dict[str, "Memory"] = {}


def since() -> int:
    """Time in nanoseconds before which nothing remembered counts.

    The time at which SAEGRID_REREAD was first seen replaces its 1, so that jobs which inherit the
    environment do not read again what has been read again for this run.
    """
    value = os.environ.get(REREAD, "")
    if value in ("", "0"):
        return 0
    if not value.isdecimal() or int(value) < SETTLED:
        value = os.environ[REREAD] = str(time.time_ns())
    return int(value)


class _Known(NamedTuple):
    """The digest of a file, with the facts of the file when it was read."""

    path: str
    size: int
    mtime: int
    inode: int
    read: int
    """When reading began, in nanoseconds."""
    sha256: str

    def stands(self, stat: os.stat_result) -> bool:
        """Return True if size, time of change and inode of the file are those of the one read."""
        return (self.size, self.mtime, self.inode) == _facts(stat)

    def counts(self, stat: os.stat_result, earliest: int) -> bool:
        """Return True if the digest still holds and was read at `earliest` or later.

        A file that had just been changed when it was read may have changed again within the same
        tick of its clock; such a digest is not trusted.
        """
        settled = abs(self.read - self.mtime) > SETTLED
        return self.stands(stat) and settled and self.read >= earliest


def _facts(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


class Memory:
    """Digests of files, remembered in a file that several processes may add to at once.

    Every line stands for itself: one that cannot be read, or that another process wrote over, is
    passed over, and costs no more than reading its file again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._known: dict[str, _Known] | None = None
        self._looked_through = False

    def digests(self, paths: Sequence[Path]) -> list[str]:
        """The sha256 of each file, as hexadecimal digits."""
        wanted = {path: (os.path.realpath(path), _stat(path)) for path in dict.fromkeys(paths)}
        earliest = since()
        known = self._read() if any(s.st_size > SMALL for _, s in wanted.values()) else {}
        digests = {
            path: known[real].sha256
            for path, (real, stat) in wanted.items()
            if stat.st_size > SMALL and real in known and known[real].counts(stat, earliest)
        }
        unread = {path: stat.st_size for path, (_, stat) in wanted.items() if path not in digests}
        digests |= {path: _sha256(path) for path, size in unread.items() if size <= SMALL}
        large = [path for path, size in unread.items() if size > SMALL]
        if large:
            from concurrent.futures import ThreadPoolExecutor  # most jobs have nothing to read

            progress = _Progress({path: unread[path] for path in large})
            with ThreadPoolExecutor(min(READERS, os.cpu_count() or 1)) as pool:
                digests |= zip(
                    large, pool.map(lambda p: self._digest(p, progress), large), strict=True
                )
        return [digests[path] for path in paths]

    def trust(self, path: Path, sha256: str) -> None:
        """Remember a digest that was just made from all bytes of a file by other means."""
        stat = _stat(path)
        if stat.st_size > SMALL:
            self._remember(_Known(os.path.realpath(path), *_facts(stat), time.time_ns(), sha256))

    def _digest(self, path: Path, progress: "_Progress") -> str:
        """The digest of a large file, which is remembered unless the file changed meanwhile."""
        began, before, real = time.time_ns(), _stat(path), os.path.realpath(path)
        sha256 = _sha256(path, progress.add)
        if _facts(_stat(path)) == _facts(before):
            self._remember(_Known(real, *_facts(before), began, sha256))
        return sha256

    def _read(self) -> dict[str, _Known]:
        """The remembered digests by real path, the last line of each; read from disk once."""
        with self._lock:
            if self._known is None:
                self._known = self._from_file()
            return self._known

    def _from_file(self) -> dict[str, _Known]:
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError:
            return {}
        return {known.path: known for line in lines if (known := _parsed(line)) is not None}

    def _remember(self, known: _Known) -> None:
        self._read()
        with self._lock, suppress(OSError):  # a disk that is full or read-only costs time alone
            self._known[known.path] = known
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One call, begun on a new line: what a killed process left is a line of its own.
            with self.path.open("ab", buffering=0) as file:
                file.write(b"\n" + _written(known) + b"\n")
            if not self._looked_through:
                self._looked_through = True
                self._prune()

    def _prune(self) -> None:
        """Write the memory anew where half of it is of no use: files gone, changed, said twice."""
        n_lines = self.path.read_bytes().count(b"\n[")
        if n_lines < MANY:
            return
        # Others may have added to it since it was read here.
        kept = [known for known in self._from_file().values() if _is_there(known)]
        if 2 * len(kept) < n_lines:
            with atomic(self.path) as temporary:
                temporary.write_bytes(b"".join(b"\n" + _written(known) + b"\n" for known in kept))


class _Progress:
    """Progress of long reading, printed on stderr."""

    def __init__(self, sizes: Mapping[Path, int]) -> None:
        self.total, self.done = sum(sizes.values()), 0
        self.last, self._lock = time.monotonic(), Lock()
        if self.total >= LONG:
            first = max(sizes, key=lambda path: sizes[path])
            more = f" and {len(sizes) - 1} more" if len(sizes) > 1 else ""
            self._say(f"Reading {size(self.total)} once to know it by its content: {first}{more}")

    def add(self, n: int) -> None:
        """Count bytes that have been read."""
        with self._lock:
            self.done += n
            if self.total >= LONG and time.monotonic() - self.last >= EVERY:
                self.last = time.monotonic()
                self._say(f"  {size(self.done)} of {size(self.total)} read")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _stat(path: Path) -> os.stat_result:
    """Facts of a file; ValueError where it is none, for a device may never end."""
    stat = path.stat()
    if not S_ISREG(stat.st_mode):
        raise ValueError(f"{path}: must be a regular file; got a folder, a device or a pipe.")
    return stat


def _is_there(known: _Known) -> bool:
    try:
        return known.stands(Path(known.path).stat())
    except OSError:
        return False


def _sha256(path: Path, count: Callable[[int], None] = lambda n: None) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            count(len(chunk))
    return digest.hexdigest()


def _written(known: _Known) -> bytes:
    return json.dumps(list(known)).encode()


def _parsed(line: bytes) -> _Known | None:
    """The digest that a line records; None if the line was not written whole."""
    try:
        known = _Known(*json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None
    right = isinstance(known.path, str) and all(type(n) is int for n in known[1:5])
    right &= isinstance(known.sha256, str) and len(known.sha256) == 64
    return known if right else None
