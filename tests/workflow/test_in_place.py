"""Files that change where they lie, at the same path: what depends on them is made again."""

import os
import shutil
from collections import Counter

import pytest
from disk import CHANGES, ONE_SAE, STUDY, TAIL, disk
from finished import copy, finished
from killing import jobs, log_of
from pipeline import jobs_to_run, planned, results, run

pytestmark = pytest.mark.workflow


@pytest.fixture
def work(tmp_path):
    return copy(finished("disk"), tmp_path / "saegrid")


def started(work):
    """The jobs that the last run started, by rule."""
    return Counter(job.partition(" ")[0] for job in jobs(log_of(work)).values())


def in_turn():
    """The changes before each run, and its jobs: one at a time, but two of different cells."""
    (rows, of_rows), (older, of_older), *others = CHANGES.values()
    assert of_rows == of_older == ONE_SAE
    yield (rows, older), {rule: n if rule in TAIL else 2 * n for rule, n in ONE_SAE.items()}
    yield from (((change,), jobs) for change, jobs in others)


@pytest.mark.slow
def test_what_depends_on_a_change_is_made_again_and_ends_as_from_scratch(work, tmp_path):
    """One change after another."""
    before = results(work)
    for changes, counts in in_turn():
        for change in changes:
            change(work)
        assert jobs_to_run(work, study=STUDY) == counts
        run(work, study=STUDY)
        assert started(work) == counts
        assert jobs_to_run(work, study=STUDY) == {}
        after = results(work)
        assert sum(after[path] != before.get(path) for path in after) > len(counts)
        before = after
    anew = disk(tmp_path / "anew")
    for change, _ in CHANGES.values():
        change(anew)
    run(anew, study=STUDY)
    expected = results(anew)
    assert {path for path in expected if after.get(path) != expected[path]} == set()
    # Activations lie under a digest of what decides them; those of before stay.
    assert all("/activations/" in path for path in after.keys() - expected.keys())


@pytest.mark.parametrize("name", CHANGES)
def test_a_plan_asks_for_these_jobs(work, name):
    change, jobs = CHANGES[name]
    change(work)
    assert jobs_to_run(work, study=STUDY) == jobs


def touch(work):
    for path in [*work.glob("mine/**/*"), *work.glob("src/**/*"), *work.glob("workflow/**/*")]:
        os.utime(path)
    return work


def move(work):
    return work.rename(work.with_name("elsewhere"))


def clone(work):
    """Sources and inputs with the dates of now, results as they were, no record of Snakemake's."""
    fresh = disk(work.with_name("fresh"))
    return shutil.copytree(work / "results", fresh / "results").parent


@pytest.mark.parametrize("change", [touch, move, clone], ids=lambda change: change.__name__)
def test_the_same_bytes_with_other_dates_or_elsewhere_run_nothing(work, change):
    there = change(work)
    assert jobs_to_run(there, study=STUDY) == {}
    assert planned(there, study=STUDY) == {}
