"""The commands of a folder: coordinators of runs that live in it, and the one that unlocks it."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from saegrid.base.progress.process import PROCESSES, stat

LOOKS = {"--dry-run", "--dryrun", "--unlock", "--mode"}
"""Options of commands that run no study: dry runs, unlocking, and the jobs of a run."""


def coordinators(folder: Path, processes: Path = PROCESSES) -> list[int]:
    """The living `snakemake` processes whose working directory is a folder, ascending; none where
    the system has no folder of processes.

    Jobs, dry runs and forks of a coordinator are none, and neither is this process.
    """
    parents = {}
    for path in processes.glob("[0-9]*"):
        try:
            words = path.joinpath("cmdline").read_text("utf-8", "replace").split("\0")
            if is_run(words) and path.joinpath("cwd").resolve(strict=True) == folder.resolve():
                parents[int(path.name)] = int(stat(int(path.name), processes)[1])
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    firsts = [pid for pid, parent in parents.items() if parent not in parents]
    return sorted({*firsts} - {os.getpid()})


def is_run(words: Sequence[str]) -> bool:
    """Return True of the words of a `snakemake` command that coordinates a run."""
    rest = list(words)
    if rest and Path(rest[0]).name.startswith("python"):  # then a script, or -m and its name
        rest = rest[next((n for n, word in enumerate(rest) if n and word[:1] != "-"), 0) :]
    if not rest or Path(rest[0]).name != "snakemake":
        return False
    is_dry = any(re.fullmatch(r"-[a-zA-Z]*n[a-zA-Z]*", word) for word in rest)
    return not is_dry and not LOOKS & {word.partition("=")[0] for word in rest}


def config_files(arguments: Sequence[str]) -> list[str]:
    """The paths behind --configfile among the arguments of a command."""
    paths: list[str] = []
    is_path = False
    for word in arguments:
        option, equals, value = word.partition("=")
        if word.startswith("-"):
            is_path = option in ("--configfile", "--configfiles")
            paths += [value] * (is_path and bool(equals))
        elif is_path:
            paths.append(word)
    return paths


def unlocking(configs: Sequence[str]) -> str:
    """The command that removes the lock of a run with these config files."""
    return shlex.join(["snakemake", "--unlock", *["--configfile"] * bool(configs), *configs])
