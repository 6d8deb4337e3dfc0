"""Runs that are killed end like runs that are not. The long form: `python3 make.py faults`."""

import random
import time

import pytest
from faults import Trial, faults, trials
from finished import finished as study_of
from killing import FINISHED, WHOM, finished, jobs, log_of, run_and_kill, wait_for_orphans
from pipeline import TINY, checkout, results_of_cells, run, snakemake

SEED, PATIENCE = 0, 300
LOG = """
[now]
localrule items:
    input: a.csv
    output: results/a.parquet, results/a.json
    jobid: 3
    wildcards: corpus=a
[now]
Finished jobid: 3 (Rule: items)
rule encode:
    input: x
    output: results/z.safetensors
    jobid: 7
localrule all:
    input: results/z.safetensors
    jobid: 0
Finished jobid: 0 (Rule: all)
"""


def test_jobs_are_read_from_what_snakemake_says():
    assert jobs(LOG) == {3: "items results/a.parquet", 7: "encode results/z.safetensors"}
    assert finished(LOG) == {"items results/a.parquet"}
    assert len(FINISHED.findall(LOG)) == 2


def test_trials_are_those_of_their_seed_and_cover_the_run():
    found = trials(5, 20, [1, 2])
    assert found == trials(5, 20, [1, 2])
    assert found != trials(6, 20, [1, 2])
    assert sorted(int(trial.moment * 20) for trial in found) == list(range(20))
    assert {(t.cores, t.whom) for t in found} == {(c, w) for c in (1, 2) for w in WHOM}
    assert found[3] == Trial(3, 2, WHOM[1], found[3].moment)


def test_differences_and_leftovers_are_told(tmp_path):
    folder = tmp_path / "results/tiny"
    folder.mkdir(parents=True)
    for name in ("a.json", "b.json", ".c.json.7.tmp", "config.json"):
        (folder / name).write_text("1")
    wanted = {"tiny/a.json": b"1", "tiny/b.json": b"2", "tiny/d.json": b"1"}
    assert faults(tmp_path, wanted) == [
        "differs: tiny/b.json",
        "differs: tiny/d.json",
        "left over: tiny/.c.json.7.tmp",
    ]


def some_jobs_later(folder, dice):
    """True from a moment on, within the job after some that are finished; says which."""
    n, delay = dice.randint(2, 4), dice.random()
    due = []

    def until():
        if not due and len(FINISHED.findall(log_of(folder))) >= n:
            due.append(time.monotonic() + delay)
        return bool(due) and time.monotonic() >= due[0]

    print(f"seed {SEED}: kill {delay:.2f} s after {n} jobs")
    return until


@pytest.mark.workflow
@pytest.mark.slow
def test_killed_three_times_and_ended_with_the_same_bytes(tmp_path):
    """The group is killed, then the coordinator, then it again with its jobs running on."""
    dice, work, done = random.Random(SEED), checkout(tmp_path / "killed"), set()
    for whom in WHOM:
        killed = run_and_kill(work, 2, TINY, whom, some_jobs_later(work, dice), PATIENCE)
        assert killed, f"the run was over before the kill of the {whom}"
        assert not done & killed.finished
        done |= killed.finished
        snakemake(work, "--unlock").check_returncode()
    run(work)
    left = set(jobs(log_of(work)).values())
    assert done and left and not done & left
    wait_for_orphans(killed.session, PATIENCE)
    assert faults(work, results_of_cells(study_of("tiny"))) == []
