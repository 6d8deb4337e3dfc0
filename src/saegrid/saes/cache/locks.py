"""Locks between processes, by flock, which ends with its process and works on most network
disks."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from saegrid.base.errors import CheckpointError

MOMENT = 1.0
"""Seconds that a lock is tried for before the log says that a job waits for it."""


def open_lock(path: Path) -> BinaryIO:
    """Open a file to be locked; it is created if it is missing, and never deleted."""
    # To lock exclusively on a network disk a file must be open for writing.
    return path.open("a+b")


def flock(lock: BinaryIO, kind: str, waiting: str = "") -> None:
    """Lock a file, or unlock it; print `waiting` if another holds it for a second, and wait.

    Args:
        lock: the opened file.
        kind: LOCK_SH, LOCK_EX or LOCK_UN.
        waiting: line to be printed.

    Raises:
        CheckpointError: files cannot be locked on this disk.
    """
    # Who makes room holds the locks of all that is idle for a moment: no wait worth telling of.
    until = time.monotonic() + (MOMENT if waiting else 0)
    while not (held := try_flock(lock, kind)) and time.monotonic() < until:
        time.sleep(MOMENT / 50)
    if not held:
        if waiting:
            print(waiting, flush=True)
        import fcntl

        fcntl.flock(lock, getattr(fcntl, kind))


def try_flock(lock: BinaryIO, kind: str) -> bool:
    """Lock a file, see `flock`, without waiting; return False if another holds it."""
    import fcntl  # not on every system, and of no use to a local study

    try:
        fcntl.flock(lock, getattr(fcntl, kind) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as problem:
        raise CheckpointError(
            f"{lock.name}: files cannot be locked on this disk ({problem.strerror}). "
            "Keep the cache of checkpoints (hub.cache), and results with activation stores, on one "
            "where they can."
        ) from problem
    return True


@contextmanager
def alone(path: Path) -> Iterator[BinaryIO]:
    """A context that holds a lock exclusively."""
    with open_lock(path) as lock:
        flock(lock, "LOCK_EX")
        yield lock


def taken(stack: ExitStack, path: Path) -> bool:
    """Return True if a lock was free; it is then held until the stack closes."""
    lock = open_lock(path)
    if try_flock(lock, "LOCK_EX"):
        stack.enter_context(lock)
        return True
    lock.close()
    return False
