"""Filling a store beside who reads it: training begins with the first shards.

python -m saegrid.store.beside DESCRIPTOR JSON     what the process of `filling` runs
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from saegrid.store.settings import Settings, StoreError


@contextmanager
def filling(
    folder: str | Path,
    model: Mapping[str, Any],
    tokenizer: tuple[str | Path, bool | str],
    source: Mapping[str, Any],
    settings: Settings,
    sites: list[str],
    threads: int = 1,
    **more: Any,
) -> Iterator[None]:
    """Within this context a process of its own fills the store, which can be read from its start.

    What is read, and in which order, is as if the store had been complete. Leaving the context
    waits until it is; an error within it ends the filling, which goes on with the next call.

    Args:
        tokenizer: folder and `bos`, see `tokenizer.load`.
        threads: of the filling.
        more: further arguments of `fill`: identity, memory_mb.

    Raises:
        StoreError: the filling ended with an error; its process has told which.
    """
    told = {
        "tokenizer": [str(tokenizer[0]), tokenizer[1]],
        "settings": settings._asdict(),
        "threads": threads,
        "fill": {
            "folder": str(folder),
            "model": dict(model),
            "source": dict(source),
            "sites": list(sites),
            **more,
        },
    }
    ready, there = os.pipe()
    command = [sys.executable, "-m", __name__, str(there), json.dumps(told)]
    # No fork and no spawn: these would run the main program's code, or share its threads.
    process = subprocess.Popen(command, pass_fds=[there])
    os.close(there)
    try:
        with os.fdopen(ready, "rb") as pipe:
            if not pipe.read(1):  # ended before it was ready
                raise _failed(folder)
        yield
        if process.wait():
            raise _failed(folder)
    finally:
        process.terminate()
        process.wait()


def _failed(folder: str | Path) -> StoreError:
    return StoreError(f"{folder}: filling the store has failed; its own message stands above.")


def main(descriptor: int, told: Mapping[str, Any]) -> None:
    """Fill a store; a byte is written when it is ready to be read."""
    import torch

    from saegrid.store.fill import fill
    from saegrid.tokenizer import load

    torch.set_num_threads(told["threads"])

    def ready() -> None:
        os.write(descriptor, b"1")
        os.close(descriptor)

    settings, encoder = Settings(**told["settings"]), load(*told["tokenizer"])
    fill(**told["fill"], encoder=encoder, settings=settings, ready=ready)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
