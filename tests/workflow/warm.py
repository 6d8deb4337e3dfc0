"""Snakemake and the scripts of its jobs in forks of processes that have imported what they import.

Most of a small study's time goes into starting Python, Snakemake and torch. A fork starts at once
and does the same, on the sources of its folder. How the command itself starts, is killed and ends
is the business of tests that call the command (`SNAKEMAKE`).
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

COMMAND = (
    *("snakemake.cli", "snakemake.persistence.file", "snakemake.report.html_reporter"),
    *("snakemake_executor_plugin_slurm", "snakemake_executor_plugin_slurm_jobstep"),
    *("smart_open", "platformdirs", "graphlib", "difflib", "jinja2", "threadpoolctl"),
    *("pandas", "pydantic", "pyarrow.parquet", "safetensors", "tokenizers"),
)
SCRIPTS = (
    *("numpy", "pandas", "pyarrow.compute", "pyarrow.parquet", "scipy.sparse", "scipy.special"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    *("torch", "transformers.models.llama.modeling_llama", "tokenizers", "safetensors.torch"),
    *("sklearn.decomposition", "huggingface_hub", "pydantic", "jinja2", "yaml", "threadpoolctl"),
    *("psutil", "snakemake.script"),
)
"""Modules that commands and scripts import, but for saegrid, which is another in each folder."""
AVAILABLE = sys.platform == "linux"
"""Other systems fork badly, or not at all: there the command itself is called."""
SECONDS = 1800
"""A command that takes longer is ended."""


@cache
def _server() -> subprocess.Popen:
    """The process whose forks run Snakemake; it ends with this one, when its input does."""
    return subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def call(
    arguments: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess:
    """The status and output of `snakemake` with these arguments in a folder."""
    with tempfile.TemporaryDirectory() as outputs:
        paths = [f"{outputs}/{name}" for name in ("out", "err")]
        server = _server()
        server.stdin.write(json.dumps([arguments, str(folder), environment, paths]) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(
            ["snakemake", *arguments], status, *(Path(path).read_text() for path in paths)
        )


def _preload(modules: tuple[str, ...]) -> None:
    for module in modules:
        import_module(module)
    assert not [name for name in sys.modules if name.partition(".")[0] == "saegrid"]


def _become(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Take over a command line, a folder and an environment."""
    sys.argv = arguments
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))


def _end(main: Callable[[], None]) -> NoReturn:
    """End the process with what a program comes to, and with none of what its parent is at."""
    status: object = 0
    try:
        main()
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


def _command(place: str, arguments: list[str], folder: str, environment: dict, paths: list) -> None:
    """Run the command, its output into files of these paths."""
    signal.alarm(SECONDS)
    for descriptor, path in enumerate([os.devnull, *paths]):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    _become(["snakemake", *arguments], folder, environment)
    shim = Path(__file__).with_name("shim.py")
    sys.executable = f"{sys.executable} -I -S {shim} {place}"
    from snakemake.cli import main

    main()


def _hub(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that the library of the hub reads when it is imported."""
    return {name: value for name, value in environment.items() if name.startswith("HF_")}


def _forget_hub() -> None:
    """Let the next import of this library read them anew."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "huggingface_hub":
            del sys.modules[name]


def _script(connection: socket.socket) -> int:
    """The status of a script that a shim asks for; it is killed with its shim."""
    length, descriptors, *_ = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as told:
        arguments, folder, environment = json.loads(told.read(int.from_bytes(length, "big")))
    child = os.fork()
    if not child:
        for descriptor, inherited in enumerate(descriptors):
            os.dup2(inherited, descriptor)
        if _hub(environment) != _hub(os.environ):
            _forget_hub()
        _become(arguments, folder, environment)
        sys.path.insert(0, str(Path(arguments[0]).parent))
        main = sys.modules["__main__"] = ModuleType("__main__")
        main.__file__ = arguments[0]
        code = compile(Path(arguments[0]).read_bytes(), arguments[0], "exec")
        _end(lambda: exec(code, main.__dict__))
    ready, *_ = select.select([connection, os.pidfd_open(child)], [], [])
    if connection in ready:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


def _serve_scripts(listening: socket.socket) -> None:
    """Fork for each shim."""
    _preload(SCRIPTS)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listening.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            connection.sendall(bytes([_script(connection)]))
            os._exit(0)
        connection.close()


def _serve() -> None:
    """Fork for each line of the input; print how each fork has ended."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        place = f"{folder}/scripts"
        listening.bind(place)
        listening.listen(64)
        scripts = os.fork()
        if not scripts:
            sys.stdin.close()
            _end(lambda: _serve_scripts(listening))
        listening.close()  # so that shims fail where the other process has ended
        _preload(COMMAND)
        for line in sys.stdin:
            child = os.fork()
            if not child:
                _end(lambda call=line: _command(place, *json.loads(call)))
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        os.kill(scripts, signal.SIGKILL)


if __name__ == "__main__":
    _serve()
