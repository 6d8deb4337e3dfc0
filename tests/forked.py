"""Python processes that start at once, to be killed: forks of one that has imported torch and the
library that they run."""

import os
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TextIO

FORKING = get_context("forkserver")
FORKING.set_forkserver_preload(
    ["torch", "transformers", "saegrid.saes.training.cells", "saegrid.store.fill"]
)


def start(source: str, *arguments: Any) -> tuple[BaseProcess, TextIO]:
    """A process that runs a source with these `arguments`, and what it prints."""
    reader, writer = FORKING.Pipe(duplex=False)
    process = FORKING.Process(target=_run, args=(writer, sys.path, source, arguments))
    process.start()
    writer.close()
    return process, os.fdopen(os.dup(reader.fileno()))


def _run(writer: Connection, path: list[str], source: str, arguments: tuple[Any, ...]) -> None:
    os.dup2(writer.fileno(), 1)
    os.dup2(writer.fileno(), 2)
    sys.path[:] = path
    sys.stdout = os.fdopen(1, "w", buffering=1)
    exec(source, {"arguments": arguments})
