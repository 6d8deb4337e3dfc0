"""The running of the sides of a comparison, each in its own process, by its own Python."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def python_of(environment: str | Path) -> Path:
    """The interpreter of a virtual environment."""
    return Path(environment).absolute() / "bin/python"


def run(python: str | Path, side: str, job: str, threads: int = 1, **case: Any) -> dict[str, Any]:
    """The result of a job of `{side}_side.py`; SystemExit if it fails."""
    words = json.dumps({"job": job, "threads": threads, **case}, default=str)
    fixed = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(
        [python, HERE / f"{side}_side.py", words],
        env={**os.environ, "HF_HUB_OFFLINE": "1", **fixed},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{side}, {job}:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])
