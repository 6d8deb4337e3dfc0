"""Run the tests: the quick ones, the slow ones, all, or those that a change may concern.

python tests/suite.py test     all but the slow ones
python tests/suite.py slow     the slow ones
python tests/suite.py whole    all of them, in one go
python tests/suite.py check    files whose imports have changed since they last passed
"""

import json
import os
import subprocess
import sys
import tempfile
from itertools import accumulate
from pathlib import Path
from typing import Any

from affected import ROOT, contents, files_of, steps_to

PASSED = ROOT / ".pytest_cache/saegrid-passed.json"
"""Dependencies of each file of tests when it passed last, and its seconds."""
WORKERS = 3
"""One more than the two cores that are asked for: tests of SLURM and of browsers wait a lot."""
SECONDS = 40
"""Seconds of tests that `check` begins, on all workers together."""
CORES = 2
"""Cores on which these seconds are spent."""
LONGEST = ("--durations", "15")
QUICK = "not slow and not workflow and not browser"
GUESS = 4
"""Seconds of a file that has not been run yet."""


def pytest(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status of a run, and what conftest.py tells of it."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "outcome.json"
        in_order = ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
        command = [sys.executable, "-m", "pytest", *in_order, "--outcome", str(told), *arguments]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        return status, json.loads(told.read_text()) if told.is_file() else {}


def passed() -> dict[str, Any]:
    """The memory of earlier runs."""
    try:
        return json.loads(PASSED.read_text())
    except (OSError, ValueError):
        return {}


def remember(before: dict[str, dict[str, str]], outcome: dict[str, Any]) -> None:
    """Note of files that were run what they depended on before, where they passed, and how long
    they took."""
    known = passed()
    for file, contents_ in before.items():
        entry = known.setdefault(file, {})
        entry["seconds"] = round(outcome["seconds"].get(file, 0.0), 2)
        if file in outcome["failed"]:
            entry.pop("passed", None)
        else:
            entry["passed"] = contents_
    PASSED.parent.mkdir(exist_ok=True)
    temporary = PASSED.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(known))
    temporary.replace(PASSED)


def test() -> int:
    """All but the slow ones."""
    before = {file: contents(file) for file in files_of()}
    status, outcome = pytest("-m", "not slow", "tests")
    if outcome and status in (0, 1):
        remember(before, outcome)
    n = outcome.get("slow", "The")
    print(f"{n} slow tests were left out; they take some minutes: python3 make.py slow")
    return status


def slow() -> int:
    """The slow ones."""
    return pytest("-m", "slow", *LONGEST, "tests")[0]


def whole() -> int:
    """All of them, in one session: workers import once, and only at its end does one wait."""
    before = {file: contents(file) for file in files_of()}
    status, outcome = pytest(*LONGEST, "tests")
    if outcome and status in (0, 1):
        remember(before, outcome)
    return status


def check() -> int:
    """Files whose imports have changed since they last passed, the nearest to the change first."""
    known = passed()
    if not known:
        print(
            "No run of the tests is on record here, so that all files of tests count as changed: "
            "run `python3 make.py test` once, and later checks run only what a change concerns."
        )
    seconds = {file: known.get(file, {}).get("seconds", GUESS) for file in files_of()}
    steps = {file: steps_to(file, known.get(file, {}).get("passed", {})) for file in files_of()}
    order = sorted(
        (file for file in steps if steps[file] is not None),
        key=lambda file: (steps[file], seconds[file]),
    )
    if not order:
        print("Nothing that a test imports has changed since it passed.")
        return 0
    spent = list(accumulate(seconds[file] for file in order))
    chosen = [f for f, until in zip(order, spent, strict=True) if until <= SECONDS] or order[:1]
    print(f"Tests of {len(chosen)} files, the nearest to the change first:", flush=True)
    before = {file: contents(file) for file in chosen}
    status, outcome = pytest("-q", "-m", QUICK, *chosen)
    status = 0 if status == 5 else status  # all of them run the pipeline
    if outcome and status in (0, 1):
        remember(before, outcome)
    left = order[len(chosen) :]
    if left:
        more = sum(seconds[file] for file in left) / CORES
        print(
            f"{len(left)} more files of tests import what has changed and were not run, as a check "
            f"begins only {SECONDS / CORES:.0f} s of tests. To finish: `python3 make.py test` "
            f"runs all of them at once (about {more:.0f} s for these), or call `python3 make.py "
            "check` again until it says nothing of this."
        )
    print(
        "Not run by a check: tests that run the pipeline or a browser (`python3 make.py test`), "
        "and slow ones (`python3 make.py slow`)."
    )
    return status


if __name__ == "__main__":
    commands = {"test": test, "slow": slow, "whole": whole, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]]())
