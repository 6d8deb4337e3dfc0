"""Filling a store beside who reads it: training begins with the first shards.

python -m saegrid.store.beside DESCRIPTOR < JSON     what the process of `filling` runs
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from saegrid.store.settings import StoreError


@contextmanager
def filling(
    folder: str | Path, spec: Mapping[str, Any], sites: list[str], memory_mb: int
) -> Iterator[None]:
    """Within this context a process of its own fills the store, which can be read from its start.

    What is read, and in which order, is as if the store had been complete. Several may do this to
    one store: one fills, the others follow, and one of them goes on where that one is killed.
    Leaving the context waits until the store is complete; an error within it ends the filling,
    which goes on with the next call.

    Args:
        folder: of the store.
        spec: of the rule fill_store; `threads` are those of the filling.
        sites: of the grid, all in one pass of the model.
        memory_mb: megabytes that the filling may hold.

    Raises:
        StoreError: the filling ended with an error; its process has told which.
    """
    told = {"folder": str(folder), "spec": dict(spec), "sites": sites, "memory_mb": memory_mb}
    ready, there = os.pipe()
    command = [sys.executable, "-m", __name__, str(there)]
    # No fork and no spawn: these would run the main program's code, or share its threads.
    how = {"stdin": subprocess.PIPE, "stdout": _log(), "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, pass_fds=[there], **how)
    os.close(there)
    try:
        # Not an argument, whose length is limited: a store may have thousands of files.
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(told).encode())
        with os.fdopen(ready, "rb") as pipe:
            if not pipe.read(1):  # ended before it was ready
                raise _failed(folder)
        yield
        if process.wait():
            raise _failed(folder)
    finally:
        process.terminate()
        process.wait()


def _log() -> int | None:
    """Where this process prints to, if that is a file: what a job tells is told in its log."""
    try:
        return sys.stdout.fileno()
    except (OSError, AttributeError):
        return None


def _failed(folder: str | Path) -> StoreError:
    return StoreError(f"{folder}: filling the store has failed; its own message stands above.")


def main(descriptor: int, told: Mapping[str, Any]) -> None:
    """Fill a store; a byte is written when it is ready to be read."""
    import torch

    from saegrid.store.fill import fill_as

    torch.set_num_threads(told["spec"]["threads"])

    def ready() -> None:
        os.write(descriptor, b"1")
        os.close(descriptor)

    fill_as(**told, ready=ready)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.load(sys.stdin))
