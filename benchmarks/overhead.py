"""CPU seconds that a study takes beside its work: in the coordinator, and in the jobs around it.

    python benchmarks/overhead.py [--quick] [--beside FOLDER] [--rounds 3] [--configfile FILE ...]

Runs a study (the embedded one by default) on a copy of this tree, and in turns on a copy of another
checkout of the project if one is named, and says where its CPU seconds went. `--quick` trains and
captures little, so that next to nothing but the cost of the jobs themselves is left.

The library's seconds are those between the beginning and the end of the frame of a script (its log
tells them), less those of imports in between. All else is beside the work: the coordinator; in a
job the start of the interpreter, the imports, what Snakemake puts before a script, and the exit.
Both trees run on this Python and its packages, with the bytecode of all modules at hand, as a user
has it from the second job on. Seconds grow on a busy machine: look at ratios of one run.
"""

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "workflow", "config", "profiles", "resources", "src", "envs")
SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
DONE = re.compile(r"^done: .* ([0-9.]+) CPU s in the library, ([0-9.]+) CPU s in all", re.M)
QUICK = """\
corpora:
  headlines: {tokens: {context: 500}}
  generated: {source: {n: 200}}
saes:
  8x: {settings: {steps: 5}}
  32x: {settings: {steps: 5}}
"""
PLACES = {
    "coordinator": "the process of Snakemake itself",
    "interpreter": "jobs: Python before any import",
    "preamble": "jobs: imports for what Snakemake puts before a script",
    "imports": "jobs: imports before the frame",
    "late imports": "jobs: imports within the frame",
    "around": "jobs: whatever else is before and after the frame",
    "exit": "jobs: shell, end of the interpreter and of the process",
    "beside the work": "sum of these",
    "library": "jobs: in the frame, less its imports",
    "all": "sum of everything",
}


def checkout(source: Path, folder: Path) -> Path:
    """A copy of what a run needs."""
    folder.mkdir(parents=True)
    for part in PARTS:
        copy = shutil.copytree if (source / part).is_dir() else shutil.copy2
        copy(source / part, folder / part)
    subprocess.run([sys.executable, "-m", "compileall", "-q", folder / "src"], check=True)
    return folder


def job_seconds(folder: Path, facts: dict) -> dict[str, float]:
    """CPU seconds of one job, by place."""
    ran = DONE.findall((folder / facts["log"]).read_text(encoding="utf-8"))[-1]
    library, ended = map(float, ran)
    frame = ended - library
    found = defaultdict(float, interpreter=facts["began"])
    for at, spent, name in facts["imports"]:
        # Digits of the log end at 0.01 s.
        within = frame - 0.005 <= at < ended
        snakemake = name.partition(".")[0] in ("snakemake", "pickle")
        found["late imports" if within else "preamble" if snakemake else "imports"] += spent
    found["library"] = library - found["late imports"]
    found["around"] = facts["ended"] - sum(found.values())
    return found


def run(folder: Path, options: list[str]) -> tuple[dict[str, float], dict[str, dict], float]:
    """CPU seconds of a run from scratch by place, those of its jobs by rule, and wall seconds."""
    for made in ("results", "logs", ".snakemake"):
        shutil.rmtree(folder / made, ignore_errors=True)
    with tempfile.TemporaryDirectory() as kept:
        clock = f"{folder / 'src'}:{ROOT / 'benchmarks/clock'}"
        environment = {**os.environ, "PYTHONPATH": clock, "OVERHEAD_FOLDER": kept}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [SNAKEMAKE, "--cores", "2", *options]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        records = [json.loads(path.read_text()) for path in Path(kept).iterdir()]
    jobs = [record for record in records if record["log"]]
    (main,) = (record for record in records if record["name"] == "snakemake")
    total, by_rule = defaultdict(float), defaultdict(lambda: defaultdict(float))
    for job in jobs:
        rule = by_rule[job["name"].split(".")[1]]
        rule["jobs"] += 1
        rule["torch"] += job["torch"]
        for place, spent in job_seconds(folder, job).items():
            total[place] += spent
            rule[place] += spent
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # What the system takes to end the coordinator is the coordinator's.
    total["coordinator"] = used - main["children"]
    total["exit"] = main["children"] - sum(job["ended"] for job in jobs)
    total["beside the work"] = used - total["library"]
    total["all"] = used
    return total, by_rule, wall


def rules(by_rule: dict[str, dict]) -> str:
    """A table of the rules of a run: seconds of one job beside its work, and with torch or not."""
    columns = ("preamble", "imports", "late imports", "around", "library")
    lines = ["rule             jobs torch " + "".join(f"{name:>14}" for name in columns)]
    for name, rule in by_rule.items():
        values = "".join(f"{rule[column] / rule['jobs']:14.3f}" for column in columns)
        lines.append(f"{name:16s} {rule['jobs']:4.0f} {rule['torch']:5.0f} {values}")
    return "\n".join(lines)


def main() -> None:
    """Run the study on each tree in turns and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=Path, help="another checkout of the project")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="train and capture little")
    parser.add_argument("--configfile", nargs="+", default=["config/config.yaml"])
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trees = {"here": ROOT} | ({"beside": told.beside.resolve()} if told.beside else {})
        copies = {name: checkout(source, folder / name) for name, source in trees.items()}
        files = list(told.configfile)
        if told.quick:
            (folder / "quick.yaml").write_text(QUICK)
            files.append(str(folder / "quick.yaml"))
        options = ["--configfile", *files]
        runs: dict[str, list] = {name: [] for name in copies}
        for turn in range(told.rounds):
            for name, copy in copies.items():
                measured = run(copy, options)
                (total, _, wall), load = measured, os.getloadavg()[0]
                print(
                    f"{name}, turn {turn + 1}: {wall:.0f} s, {total['all']:.1f} CPU s, "
                    f"{total['beside the work']:.1f} beside the work, load {load:.1f}",
                    flush=True,
                )
                runs[name].append(measured)
        report(runs)


def report(runs: dict[str, list]) -> None:
    """Print medians of each tree by place, their ratios, and the rules of the last run."""
    medians = {
        name: {place: statistics.median(r[0][place] for r in tree) for place in PLACES}
        for name, tree in runs.items()
    }
    ratio = "beside" in medians
    print(f"\n{'CPU s':18s}" + "".join(f"{name:>10}" for name in runs) + "     ratio" * ratio)
    for place, meaning in PLACES.items():
        values = [medians[name][place] for name in runs]
        line = f"{place:18s}" + "".join(f"{value:10.2f}" for value in values)
        print(line + (f"{values[0] / values[1]:10.2f}" if ratio else "") + f"   {meaning}")
    for name, tree in runs.items():
        print(f"\n{name}: CPU s of a job\n{rules(tree[-1][1])}")


if __name__ == "__main__":
    main()
