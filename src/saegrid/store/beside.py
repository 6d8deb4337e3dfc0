"""Filling a store beside who reads it: training begins with the first shards."""

import multiprocessing
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
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    told = (str(folder), dict(model), tokenizer, dict(source), settings, sites, threads, more)
    process = spawn.Process(target=_fill, args=(ready, *told))
    process.start()
    try:
        while not ready.wait(0.1):
            if not process.is_alive():
                break
        if not ready.is_set():
            raise _failed(folder)
        yield
        process.join()
        if process.exitcode:
            raise _failed(folder)
    finally:
        process.terminate()
        process.join()


def _failed(folder: str | Path) -> StoreError:
    return StoreError(f"{folder}: filling the store has failed; its own message stands above.")


def _fill(
    ready: Any,
    folder: str,
    model: Mapping[str, Any],
    tokenizer: tuple[str | Path, bool | str],
    source: Mapping[str, Any],
    settings: Settings,
    sites: list[str],
    threads: int,
    more: Mapping[str, Any],
) -> None:
    """What the process does."""
    import torch

    from saegrid.store.fill import fill
    from saegrid.tokenizer import load

    torch.set_num_threads(threads)
    encoder = load(*tokenizer)
    fill(folder, model, encoder, source, settings, sites, ready=ready.set, **more)
