"""The processes of this machine: whether one goes on, and whether it is still the same one."""

import os
from pathlib import Path

PROCESSES = Path("/proc")
"""Folder of the system's processes; where there is none, no more is known than that a number is in
use."""
ENDED = "ZX"
"""States of a process that has ended and that nobody has waited for yet: its number is in use."""


def stat(pid: int, processes: Path = PROCESSES) -> list[str]:
    """The numbers that the system keeps of a process, its state first; OSError where it is gone.

    The line is `12 (name) S 7 ..`, and the name may have blanks and brackets.
    """
    text = processes.joinpath(str(pid), "stat").read_text("utf-8", "replace")
    return text.rpartition(")")[2].split()


def started(pid: int, processes: Path = PROCESSES) -> int | None:
    """The start of a process in ticks since that of the machine; None where it is not known. With
    it the process is told from a later one that has its number."""
    try:
        return int(stat(pid, processes)[19])
    except (OSError, IndexError, ValueError):
        return None


def goes_on(pid: int, start: int | None = None, processes: Path = PROCESSES) -> bool:
    """Return True if a process of this machine has not ended.

    start: its start as of `started`; a process with another one only has its number. A process that
    was killed keeps its number until its parent has asked for its end, which may never be.
    """
    is_hidden = not processes.is_dir()
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's, which the folder may hide
        is_hidden = True
    try:
        state, *_ = stat(pid, processes)
    except (OSError, ValueError):
        return is_hidden
    return state not in ENDED and start in (None, started(pid, processes))
