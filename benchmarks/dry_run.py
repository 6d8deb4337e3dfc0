"""How long Snakemake looks at a study before the first job: on a clean and on a finished tree.

    python benchmarks/dry_run.py [--cells 150 1500]

Lays out a copy of the pipeline with that many cells in a temporary folder, and times a dry run.
Then it writes empty files with the right specs in their headers for all that a run would make, lets
Snakemake take note of them (`--touch`), and times the dry run again: nothing must be left to do.
Wall seconds grow with what else a machine does; CPU seconds of the calls, beside them, hardly do.
Target: 150 cells in 5 s and 1,500 in 30 s, on either tree.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/workflow")]

from pipeline import SNAKEMAKE, checkout  # noqa: E402

from asking import finish, jobs_of  # noqa: E402
from saegrid.config import resolve  # noqa: E402
from saegrid.stages.plan import Plan  # noqa: E402


class Took(NamedTuple):
    """Time of a call: on the wall, and of the processors."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} CPU s)"


def grid_of(folder: Path, cells: int) -> tuple[str, ...]:
    """A config with that many cells: ten SAEs at each of 75 sites, twice where needed."""
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    names = [f"{n}x" for n in range(1, cells // 75 + 1)]
    study["saes"] = {
        name: {"source": "train", "expansion": 8, "corpus": "generated", "seed": n}
        for n, name in enumerate(names)
    }
    study["grid"] = [{"layers": list(range(7, 32)), "positions": ["a", "m", "r"], "saes": names}]
    (folder / "config/many.yaml").write_text(yaml.safe_dump(study))
    return ("--configfile", "config/many.yaml")


def seconds(folder: Path, study: tuple[str, ...], *options: str) -> tuple[Took, str]:
    """Time and output of a call of snakemake."""
    command = [SNAKEMAKE, *options, *study]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    start, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - start, getrusage(RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(wall, cpu), done.stdout + done.stderr


def main() -> None:
    """Print a line for each number of cells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[150, 1500])
    given = parser.parse_args()
    for cells in given.cells:
        with tempfile.TemporaryDirectory() as folder:
            root = checkout(Path(folder) / "saegrid")
            study = grid_of(root, cells)
            clean, _ = seconds(root, study, "--dry-run", "--quiet")
            os.chdir(root)
            resolved = resolve(yaml.safe_load((root / study[1]).read_text()))
            plan = Plan(resolved, root / "workflow/scripts")
            finish(plan, jobs_of(plan))
            seconds(root, study, "--touch", "--cores", "2", "--quiet")
            finished, told = seconds(root, study, "--dry-run")
            assert "Nothing to be done" in told, told[-2000:]
            os.chdir(ROOT)
        print(f"{cells:,} cells: clean tree {clean}, finished {finished}", flush=True)


if __name__ == "__main__":
    main()
