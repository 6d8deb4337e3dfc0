"""The frame of a script: its settings, its log file, fixed threads.

It is the only module that knows the `snakemake` object of a script. A rule has one parameter
`spec`, the canonical JSON text of all that decides its result, with a fingerprint of the code that
it runs.

A study has thousands of short jobs, so this module also spares each of them imports that serve
nothing, and the taking apart of the interpreter at the end.
"""

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from threadpoolctl import threadpool_limits

from saegrid.base.errors import CheckpointError, ConfigError
from saegrid.base.paths import expand_all

SCRIPT = getattr(sys.modules["__main__"], "snakemake", None)
"""The object that Snakemake puts before a script; None in any other process."""
if SCRIPT is not None:
    # While modules are loaded there is no garbage, and looking for it takes a tenth of the time.
    gc.disable()


class Job(NamedTuple):
    """The job of a script: its settings, and its paths by name."""

    settings: dict[str, Any]
    """The parsed spec, with expanded paths."""
    written: dict[str, Any]
    """The parsed spec, with the paths of the config."""
    spec: str
    """The text of the spec, for the headers of the outputs."""
    input: Any
    output: Any
    wildcards: Any
    resources: Any
    """Resources that the job may use (mem_mb, gpu); they decide no result."""
    cores: int
    """Number of CPUs that the job has; it decides no result."""


@contextmanager
def start(snakemake: Any) -> Iterator[Job]:
    """The context of a script: log file, fixed threads, timing, and a traceback if it fails.

    In a script the process ends with the context, when its work is done.
    """
    spare_pandas()
    gc.freeze()
    gc.enable()
    # Imports of the script are done by now: what follows are the library's calls.
    started, cpu = time.monotonic(), time.process_time()
    spec = snakemake.params.spec
    written = json.loads(spec)
    with Path(snakemake.log[0]).open("w", buffering=1, encoding="utf-8") as log:
        sys.stdout = sys.stderr = log
        try:
            with _threads(int(written.get("threads", 1))):
                paths = snakemake.input, snakemake.output, snakemake.wildcards
                limits = snakemake.resources, snakemake.threads
                yield Job(expand_all(written), written, spec, *paths, *limits)
            used = time.process_time() - cpu
            wall = time.monotonic() - started
            print(
                f"done: {wall:.2f} s, {used:.2f} CPU s in the library, "
                f"{time.process_time():.2f} CPU s in all"
            )
        except (ConfigError, CheckpointError) as mistake:
            # Of the config or of what it names: the sentence says how to mend it, and no more.
            print(mistake, file=log)
            raise SystemExit(1) from None
        except SystemExit:
            raise
        except BaseException as problem:
            traceback.print_exc(file=log)
            if snakemake is not SCRIPT:
                raise
            # The terminal names the log, which has all of it.
            raise SystemExit(130 if isinstance(problem, KeyboardInterrupt) else 1) from None
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    if snakemake is SCRIPT:
        _end()


def tell(of: str, lines: Iterable[str]) -> None:
    """Print lines to the log and to the screen: what whoever starts a run must see of a corpus."""
    screen = sys.__stderr__
    # On a terminal the last line says how far the run is: it is removed, and then written anew.
    clear = "\r\x1b[K" if screen and screen.isatty() else ""
    for line in lines:
        print(f"{of}: {line}", flush=True)
        print(f"{clear}{of}: {line}", file=screen, flush=True)


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """A context with a fixed number of threads, on which the last bits of products depend."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(n)
    os.environ["OMP_NUM_THREADS"] = str(n)
    with threadpool_limits(n):
        yield


class _NoPandas:
    """An importer that finds no pandas."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """No module, or for pandas an error."""
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def spare_pandas() -> None:
    """Let pyarrow believe that there is no pandas, for which it looks once, at the first array.

    To load it takes longer than most jobs work. Whoever asks for pandas itself still gets it.
    """
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NoPandas)


def _end() -> None:
    """End the process at once: all files are written and closed, and what the interpreter would
    still do, module by module, takes a quarter of the time that it took to load them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
