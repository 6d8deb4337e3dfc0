"""The record of a run: `logs/{study}/run.json`, renewed while it goes on.

It decides nothing: whoever starts another run, or asks from another machine, reads there what runs
where, and whether it still does.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saegrid.base.progress.folder import config_files
from saegrid.base.progress.process import goes_on, started
from saegrid.base.progress.run import Run, facts

EVERY = 10.0
"""Seconds between two records of a run."""
SILENT = 120.0
"""Seconds without a record from which a run counts as ended."""


def place(study: str) -> Path:
    """Path of the record of a study's last run."""
    return Path("logs") / study / "run.json"


def write(run: Run, ended: str = "") -> None:
    """Write the record of a run, whole or not at all; a disk that is full stops no run.

    ended: how it ended (done, failed, stopped); empty while it goes on.
    """
    path = place(run.study)
    text = {**facts(run, time.time()), "host": socket.gethostname(), "pid": os.getpid()}
    text |= {"started": started(os.getpid()), "configs": config_files(sys.argv[1:])}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        beside.write_text(json.dumps({**text, "written": time.time(), "ended": ended}))
        beside.replace(path)
    except OSError:
        return


def read(study: str) -> Mapping[str, Any] | None:
    """The record of a study's last run; None where there is none that can be read."""
    try:
        content = json.loads(place(study).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    keys = {"began", "written", "ended", "host", "pid", "stages", "running", "failed"}
    return content if isinstance(content, dict) and keys <= content.keys() else None


def is_alive(content: Mapping[str, Any], now: float) -> bool:
    """Return True if a run goes on: it has written its record not long ago, and on this machine its
    process has not ended, be it a moment ago."""
    if content["ended"] or now - content["written"] >= SILENT:
        return False
    is_here = content["host"] == socket.gethostname()
    return not is_here or goes_on(int(content["pid"]), content.get("started"))
