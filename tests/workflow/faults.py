"""Kill the pipeline at random moments, run the same command again, compare the end.

    python tests/workflow/faults.py [--study tiny] [--kills 20] [--cores 1 2] [--seed 0] [--only 7]

A trial is one run in a folder of its own, killed with SIGKILL at a moment that seed and number
decide: the whole process group, or the coordinator alone. In the latter case its jobs go on
writing, and the command is given again either when they are through or while they are at it.
Afterwards the results must be those of an undisturbed run, byte for byte, with no temporary file
left, nothing more to do, and no job run twice that was finished before the kill.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from killing import AT_ONCE, WHOM, again, jobs, log_of, run_and_kill, wait_for_orphans
from pipeline import TINY, checkout, command, planned, results

STUDIES = {"tiny": TINY, "toy": ()}
"""Options of the command by study."""
TEMPORARY = re.compile(r"\.tmp$|\.part$|/progress\.json$")
"""Files below results that only a job under way should have."""
SLACK = 600
"""Seconds that a run may take beyond three times the undisturbed one."""


class Trial(NamedTuple):
    """A kill: what decides it."""

    number: int
    cores: int
    whom: str
    moment: float
    """Share of the undisturbed run's time after which the kill comes."""


class Outcome(NamedTuple):
    """The outcome of a trial."""

    killed: bool
    """True if the run was still under way; if not, the trial shows nothing."""
    seconds: float
    """Seconds from start to kill."""
    finished: int
    """Jobs finished before the kill."""
    again: int
    """Jobs that the second run started."""
    problems: list[str]


def trials(seed: int, n: int, cores: list[int]) -> list[Trial]:
    """n kills: numbers of cores and ways to kill in turn, one moment in each n-th of the run."""
    dice = random.Random(seed)
    slots = dice.sample(range(n), n)
    return [
        Trial(
            number,
            cores[number % len(cores)],
            WHOM[number // len(cores) % len(WHOM)],
            (slot + dice.random()) / n,
        )
        for number, slot in enumerate(slots)
    ]


def undisturbed(folder: Path, cores: int, study: tuple[str, ...]) -> tuple[dict[str, bytes], float]:
    """Results of a run that nothing happens to, and the seconds that it takes."""
    began = time.monotonic()
    done = command(checkout(folder), "--cores", str(cores), study=study)
    if done.returncode:
        raise RuntimeError(f"The undisturbed run failed:\n{done.stdout}{done.stderr}")
    return results(folder), time.monotonic() - began


def play(
    trial: Trial, folder: Path, study: tuple[str, ...], wanted: dict[str, bytes], seconds: float
) -> Outcome:
    """Run, kill, run again and compare with the `wanted` results of `seconds`."""
    checkout(folder)
    moment, patience = trial.moment * seconds, 3 * seconds + SLACK
    due = time.monotonic() + moment
    killed = run_and_kill(
        folder, trial.cores, study, trial.whom, lambda: time.monotonic() >= due, patience
    )
    if killed is None:
        return Outcome(False, moment, 0, 0, [])
    done = again(folder, trial.cores, study)
    log = done.stdout + done.stderr
    (folder / "second.log").write_text(log)
    wait_for_orphans(killed.session, patience)
    repeated = set(jobs(log_of(folder)).values())
    problems = [f"run again: {job}" for job in sorted(killed.finished & repeated)]
    if done.returncode:
        problems.append(f"the second run ended with {done.returncode}: {log[-1500:]}")
    else:
        problems += faults(folder, wanted)
        # An orphan that ends last touches a file that others were made from: dates then ask for
        # these to be made again, which costs time and changes nothing.
        left = {} if trial.whom == AT_ONCE else planned(folder, study=study)
        problems += [f"still to do: {left}"] if left else []
    return Outcome(True, killed.seconds, len(killed.finished), len(repeated), problems)


def faults(folder: Path, wanted: dict[str, bytes]) -> list[str]:
    """Result files that are missing, too many or of other bytes, and temporary ones."""
    found = results(folder)
    names = sorted(found.keys() | wanted.keys())
    differ = [n for n in names if found.get(n) != wanted.get(n) and not TEMPORARY.search(n)]
    left = [n for n in names if TEMPORARY.search(n)]
    return [*(f"differs: {n}" for n in differ), *(f"left over: {n}" for n in left)]


def attempt(
    trial: Trial, folder: Path, study: tuple[str, ...], wanted: dict[str, bytes], seconds: float
) -> Outcome:
    """Play a trial; where the run was faster than thought, again and earlier."""
    for turn in range(5):
        moment = trial.moment * 0.8**turn
        outcome = play(trial._replace(moment=moment), folder / str(turn), study, wanted, seconds)
        if outcome.killed:
            return outcome
    return outcome


def tell(trial: Trial, outcome: Outcome) -> str:
    """One line a trial, and one a problem."""
    head = (
        f"trial {trial.number:>2}: {trial.cores} cores, kill of the {trial.whom} after "
        f"{outcome.seconds:.1f} s, {outcome.finished} jobs finished, {outcome.again} run afterwards"
    )
    verdict = "same bytes" if outcome.killed and not outcome.problems else "PROBLEM"
    if not outcome.killed:
        verdict = "NOT KILLED: the run was over"
    return "\n  ".join([f"{head}: {verdict}", *outcome.problems])


def main() -> None:
    """Play all trials; exit status 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", choices=STUDIES, default="tiny")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the trials to repeat")
    parser.add_argument("--folder", type=Path, help="where failed trials stay; a new one if not")
    given = parser.parse_args()
    study = STUDIES[given.study]
    root = given.folder or Path(tempfile.mkdtemp(prefix="saegrid-faults-"))
    chosen = trials(given.seed, given.kills, given.cores)
    print(f"{given.study}, {given.kills} kills, seed {given.seed}, in {root}", flush=True)
    told = {n: undisturbed(root / f"undisturbed-{n}", n, study) for n in given.cores}
    wanted = told[given.cores[0]][0]
    for cores, (found, seconds) in told.items():
        same = "same bytes" if found == wanted else "OTHER BYTES"
        print(
            f"undisturbed: {cores} cores, {seconds:.1f} s, {len(found)} files, {same}", flush=True
        )
    failed = sum(found != wanted for found, _ in told.values())
    for trial in chosen:
        if given.only and trial.number not in given.only:
            continue
        folder = root / f"trial-{trial.number}"
        outcome = attempt(trial, folder, study, wanted, told[trial.cores][1])
        print(tell(trial, outcome), flush=True)
        if outcome.problems or not outcome.killed:
            failed += 1
        else:
            shutil.rmtree(folder)
    print(f"{failed} failed" if failed else "all ended with the same bytes", flush=True)
    if failed:
        sys.exit(
            f"Kept in {root}. Repeat one: --study {given.study} --kills {given.kills} "
            f"--cores {' '.join(map(str, given.cores))} --seed {given.seed} --only NUMBER"
        )
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
