"""A process that fills a store beside its reader: training begins with the first shards.

python -m saegrid.store.beside DESCRIPTOR < JSON     the command of that process
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
    """A context in which another process fills the store, which can be read from its start.

    A reader gets the same rows in the same order as from a complete store. Several contexts may be
    open on one store: one process fills, the others follow, and one of them goes on where that one
    is killed. Leaving the context waits until the store is complete; an error within it ends the
    filling, which goes on with the next call.

    Args:
        folder: folder of the store.
        spec: spec of the rule fill_store; its `threads` are those of the filling.
        sites: sites of the grid, all filled in one pass of the model.
        memory_mb: megabytes that the filling may hold.

    Raises:
        StoreError: the filling ended with an error; its process has printed which.
    """
    request = {"folder": str(folder), "spec": dict(spec), "sites": sites, "memory_mb": memory_mb}
    ready, descriptor = os.pipe()
    command = [sys.executable, "-m", __name__, str(descriptor)]
    # No fork and no spawn: these would run the main program's code, or share its threads.
    how = {"stdin": subprocess.PIPE, "stdout": _log(), "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, pass_fds=[descriptor], **how)
    os.close(descriptor)
    try:
        # Not an argument, whose length is limited: a store may have thousands of files.
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(request).encode())
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
    """The descriptor of this process's output, so that the filling prints to the log of its job."""
    try:
        return sys.stdout.fileno()
    except (OSError, AttributeError):
        return None


def _failed(folder: str | Path) -> StoreError:
    return StoreError(f"{folder}: filling the store has failed; its own message stands above.")


def main(descriptor: int, request: Mapping[str, Any]) -> None:
    """Fill a store, and write a byte to the descriptor as soon as the store can be read."""
    import torch

    from saegrid.store.fill import fill_as

    torch.set_num_threads(request["spec"]["threads"])

    def ready() -> None:
        os.write(descriptor, b"1")
        os.close(descriptor)

    fill_as(**request, ready=ready)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.load(sys.stdin))
