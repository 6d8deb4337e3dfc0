"""Runs that are killed: who, when, what was finished by then, and the command once more."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
from pipeline import SNAKEMAKE, command

GROUP, ALONE, AT_ONCE = "group", "coordinator", "coordinator, orphans running"
WHOM = (GROUP, ALONE, AT_ONCE)
STARTED = re.compile(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", re.M)
FINISHED = re.compile(r"^Finished jobid: (\d+) ", re.M)


class Killed(NamedTuple):
    """A run that was killed."""

    seconds: float
    """Seconds from start to kill."""
    finished: set[str]
    """Jobs that it told to be finished."""
    session: int
    """Session of its processes."""


def jobs(log: str) -> dict[int, str]:
    """Jobs that a run started: number and first output, which tells them apart across runs."""
    found = {}
    for rule, body in STARTED.findall(log):
        number = re.search(r"^ {4}jobid: (\d+)$", body, re.M)
        output = re.search(r"^ {4}output: ([^,\n]+)", body, re.M)
        if number and output:
            found[int(number[1])] = f"{rule} {output[1]}"
    return found


def finished(log: str) -> set[str]:
    """The jobs that a run told to be finished."""
    started = jobs(log)
    return {started[int(n)] for n in FINISHED.findall(log) if int(n) in started}


def members(session: int) -> list[psutil.Process]:
    """Living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def log_of(folder: Path) -> str:
    """Snakemake's own log of the last run, which has every detail."""
    logs = sorted((folder / ".snakemake/log").glob("*.snakemake.log"))
    return logs[-1].read_text() if logs else ""


def start(folder: Path, cores: int, study: tuple[str, ...]) -> subprocess.Popen:
    """The command in a session of its own; what it says goes to first.log."""
    shutil.rmtree(folder / ".snakemake/log", ignore_errors=True)  # of earlier runs
    with (folder / "first.log").open("wb") as log:
        return subprocess.Popen(
            [SNAKEMAKE, "--cores", str(cores), *study],
            cwd=folder,
            start_new_session=True,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(folder / "src")},
        )


def kill(process: subprocess.Popen, whom: str, patience: float) -> None:
    """Kill the group or the coordinator; wait for what goes on, unless it is to be met."""
    if whom == GROUP:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    if whom != AT_ONCE:
        wait_for_orphans(process.pid, patience)


def wait_for_orphans(session: int, patience: float) -> None:
    """Wait until no process of a session is left; TimeoutError after so many seconds."""
    deadline = time.monotonic() + patience
    while members(session):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Jobs of a killed coordinator still run after {patience:.0f} s.")
        time.sleep(0.05)


def run_and_kill(
    folder: Path,
    cores: int,
    study: tuple[str, ...],
    whom: str,
    until: Callable[[], bool],
    patience: float,
) -> Killed | None:
    """Run the command and kill it once `until` says so; None where the run was over before.

    patience: seconds that orphans may take.
    """
    process = start(folder, cores, study)
    began = time.monotonic()
    while not until():
        if process.poll() is not None:
            return None
        time.sleep(0.02)
    if process.poll() is not None:
        return None
    after = time.monotonic() - began
    kill(process, whom, patience)
    return Killed(after, finished(log_of(folder)), process.pid)


def unlock(folder: Path, study: tuple[str, ...]) -> None:
    """Remove the lock of a killed coordinator (README)."""
    command(folder, "--unlock", study=study).check_returncode()


def again(folder: Path, cores: int, study: tuple[str, ...]) -> subprocess.CompletedProcess:
    """The second run of a command, after `--unlock` where Snakemake asks for it."""
    done = command(folder, "--cores", str(cores), study=study)
    if "Directory cannot be locked" in done.stdout + done.stderr:
        unlock(folder, study)
        done = command(folder, "--cores", str(cores), study=study)
    return done
