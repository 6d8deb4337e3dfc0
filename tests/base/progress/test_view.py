"""The view of a run, fed with records as Snakemake makes them."""

import io
import json
import logging
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace as Object

import pytest
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from saegrid.base.progress.run import Run
from snakemake_logger_plugin_saegrid import LogHandler
from snakemake_logger_plugin_saegrid.screen import Screen

DONE = "done: 1.00 s, 0.90 CPU s in the library, 3.10 CPU s in all\n"


def record(text="", level=logging.INFO, **fields):
    out = logging.LogRecord("snakemake", level, "x.py", 1, text, None, None)
    out.__dict__.update(fields)
    return out


def begins(number, rule, cell="L1R-8x", output=("x",)):
    log = [f"logs/toy/{rule}-{cell}.log"] if output else []
    wildcards = {"study": "toy", "cell": cell}
    fields = {"jobid": number, "rule_name": rule, "log": log, "output": list(output)}
    return record(event=LogEvent.JOB_INFO, threads=1, benchmark=None, wildcards=wildcards, **fields)


def ends(number):
    return record(event=LogEvent.JOB_FINISHED, job_id=number)


def fails(number, rule, cell="L1R-8x", message=None):
    log = [f"logs/toy/{rule}-{cell}.log"]
    fields = {"jobid": number, "rule_name": rule, "log": log, "rule_msg": message}
    return record("Error", logging.ERROR, event=LogEvent.JOB_ERROR, **fields)


RUN = Run("toy", "results/toy/index.html", totals={"a": 2, "b": 1}, whole={"a": 2, "b": 1})
BEGIN = (
    record("Job stats:", event=LogEvent.RUN_INFO, stats={"a": 2, "b": 1, "all": 1, "total": 4}),
    record(saegrid_run=RUN),
)


@pytest.fixture
def show(tmp_path, monkeypatch):
    """The lines that are printed of some records."""
    monkeypatch.chdir(tmp_path)
    Path("logs/toy").mkdir(parents=True)

    def call(*records, **options):
        usual = {"quiet": set(), "nocolor": True, "dryrun": False, "verbose": False}
        usual |= {"debug_dag": False, "printshellcmds": False, "show_failed_logs": True}
        handler = LogHandler(Object(**{**usual, **options}), None)
        handler.view.screen = Screen(io.StringIO())
        for one in records:
            handler.emit(one)
        handler.close()
        return handler.view.screen.stream.getvalue().splitlines()

    return call


def test_stages_and_the_end_are_said(show):
    jobs = [begins(1, "a"), ends(1), begins(2, "a"), begins(3, "b"), ends(2), ends(3)]
    target = begins(4, "all", output=())
    lines = show(*BEGIN, *jobs, target, record("Open x", saegrid_end=True))
    assert [line[10:].split()[:3] for line in lines[:2]] == [["a", "2", "jobs,"], ["b", "1", "job"]]
    assert lines[2:] == ["Done: 3 jobs of 2 stages in 0 s.", "Open x"]
    assert json.loads(Path("logs/toy/run.json").read_text())["ended"] == "done"


def test_a_failure_is_said_with_its_reason_and_snakemakes_repetitions_are_not(show):
    Path("logs/toy/a-L1R-8x.log").write_text("saes.8x.k: too many.\n")
    command = "RuleException:\nCalledProcessError in file x: returned non-zero exit status 1."
    lines = show(
        *BEGIN,
        begins(1, "a"),
        record(command, logging.ERROR, event=LogEvent.ERROR, exception="RuleException"),
        fails(1, "a"),
        record("Exiting because a job execution failed. Look below", logging.ERROR),
        record("", saegrid_end=False),
        record("WorkflowError:\nAt least one job did not complete", logging.ERROR),
    )
    assert lines[0][10:] == "FAILED a L1R-8x: saes.8x.k: too many."
    assert lines[1] == "    log: logs/toy/a-L1R-8x.log"
    assert lines[2] == "Stopped after 0 s: 0 of 3 jobs are done, 1 failed, 2 did not run."
    assert len(lines) == 4


def test_jobs_that_are_ended_on_request_have_not_failed(show):
    stop = record("Terminating processes on user request, this might take some time.")
    lines = show(*BEGIN, begins(1, "a"), stop, fails(1, "a"), record(saegrid_end=False))
    assert not [line for line in lines if "FAILED" in line]
    assert json.loads(Path("logs/toy/run.json").read_text())["ended"] == "stopped"


def test_of_a_group_the_job_that_failed_is_said(show):
    group = {"job_error_info": [{"jobid": 1}, {"jobid": 2}, {"jobid": 3}]}
    group = record("Error in group", logging.ERROR, event=LogEvent.GROUP_ERROR, **group)
    Path("logs/toy/a-L1R-8x.log").write_text(DONE)
    Path("logs/toy/a-L2R-8x.log").write_text("no rows\n")
    jobs = [begins(1, "a"), begins(2, "a", "L2R-8x"), begins(3, "b")]
    errors = [fails(1, "a"), fails(2, "a", "L2R-8x"), fails(3, "b")]
    lines = show(*BEGIN, *jobs, group, *errors)
    assert [line[10:] for line in lines if "FAILED" in line] == ["FAILED a L2R-8x: no rows"]


def test_of_a_group_without_a_word_the_log_of_its_process_is_said(show):
    log = Path("logs/slurm/8.log")
    log.parent.mkdir(parents=True)
    log.write_text("Traceback\nMemoryError: too little\nRuleException:\nCalledProcessError in x\n")
    group = {"job_error_info": [{"jobid": 1}, {"jobid": 2}], "aux_logs": [str(log)]}
    group = record("Error in group", logging.ERROR, event=LogEvent.GROUP_ERROR, **group)
    lines = show(*BEGIN, begins(1, "a"), begins(2, "b"), group, fails(1, "a"), fails(2, "b"))
    at = next(n for n, line in enumerate(lines) if "FAILED" in line)
    assert lines[at][10:] == "FAILED a, b: MemoryError: too little"
    assert "memory does not suffice" in " ".join(lines) and "    log: logs/slurm/8.log" in lines


def test_a_long_run_says_now_and_then_how_far_it_is(show, monkeypatch):
    ticks = count(time.time(), 5.0)  # each look at the clock is five seconds later
    monkeypatch.setattr("snakemake_logger_plugin_saegrid.view.time.time", lambda: next(ticks))
    jobs = [one for n in range(40) for one in (begins(n, "c", f"L{n}R-8x"), ends(n))]
    lines = [line for line in show(*BEGIN, *jobs) if "jobs, " in line]
    assert 2 <= len(lines) <= 40
    assert all(len(line) <= 80 and "\x1b" not in line for line in lines)


@pytest.mark.parametrize(
    ("quiet", "shown"),
    [
        (Quietness.RULES, {"FAILED", "Stopped"}),
        (Quietness.PROGRESS, {"FAILED", "Stopped"}),
        (Quietness.ALL, set()),
    ],
)
def test_who_is_quiet_about_jobs_still_hears_of_failures(show, quiet, shown):
    end = record(saegrid_end=False)
    lines = show(*BEGIN, begins(1, "a"), fails(1, "a"), end, quiet={quiet})
    words = {word for line in lines for word in line.split()}
    assert {"FAILED", "Stopped"} & words == shown


def test_a_dry_run_shows_jobs_as_snakemake_does_and_keeps_nothing(show):
    lines = show(*BEGIN, record("Job x"), dryrun=True)
    assert lines[0] == "Job stats:" and lines[-1] == "Job x"
    assert not Path("logs/toy/run.json").exists()


def test_nothing_to_do_names_the_page(show):
    page = record(saegrid_run=Run("toy", "results/toy/index.html"))
    nothing = record("Nothing to be done (all requested files are present and up to date).")
    assert show(page, nothing)[-1] == "Open results/toy/index.html"
