"""The words that a run prints: how far it is, what failed and why, and the page to open."""

import inspect
import json
import os
import re
import subprocess
import sys

import pytest
from finished import copy, finished
from pipeline import TINY, edit, run, snakemake
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.types import MaxJobsPerTimespan

pytestmark = pytest.mark.workflow
TRACE = """
import sys, threading
from snakemake.cli import main
began, Timer = [], threading.Timer
threading.Timer = lambda *args: began.append(args) or Timer(*args)
sys.argv[0] = "snakemake"
try:
    main()
finally:
    print("Timers:", len(began), flush=True)
"""
"""Snakemake, which says at its end how many timers it has started."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def work(tmp_path):
    folder = copy(finished("tiny"), tmp_path / "saegrid")
    (folder / "results/tiny/summary.parquet").unlink()
    return folder


def lines(text):
    """The lines of a run, without colours, times and the name of its log."""
    plain = COLOURS.sub("", text).splitlines()
    timeless = [re.sub(r"^\d\d:\d\d:\d\d ", "TIME ", line) for line in plain]
    ends = ("Complete log", "Elapsed time")
    return [line for line in timeless if line and not line.startswith(ends)]


def test_a_run_says_each_stage_that_is_done_and_names_its_page(work):
    profile, estimate, first, second, third, done, last = lines(run(work))
    assert profile.startswith("Using workflow specific profile")
    assert estimate.startswith("Estimate: 3 jobs, about ")
    assert first.startswith("TIME  summary ")
    assert {second.split()[1], third.split()[1]} == {"plot", "index"}
    assert all(" 1 job in " in line for line in (first, second, third))
    assert done.startswith("Done: 3 jobs of 3 stages in ")
    assert last == "Open results/tiny/index.html"
    assert lines(run(work))[-1] == last  # there is nothing to do
    edit(work / TINY[-1], "study: tiny", "study: tiny\nlicence: CC BY 4.0")
    said = lines(run(work))
    (renewed,) = [line for line in said if line.startswith("results/tiny/config.json has the new")]
    assert renewed.endswith("the front page and `saegrid tables` read licences, and nothing else.")
    assert said[-2].startswith("Done: 1 job of 1 stage") and said[-1].startswith(last)
    assert lines(run(work))[-2].startswith("Nothing to be done")
    assert json.loads((work / "results/tiny/config.json").read_text())["licence"] == "CC BY 4.0"


def test_a_run_keeps_a_record_and_no_result_knows_of_it(work):
    run(work)
    kept = json.loads((work / "logs/tiny/run.json").read_text())
    assert kept["ended"] == "done"
    assert kept["stages"]["summary"] == kept["stages"]["index"] == [1, 1]
    assert kept["stages"]["encode"] == [2, 2]
    assert not kept["running"] and not kept["failed"]


def test_a_job_that_fails_is_told_with_its_reason_and_its_log(work):
    script = work / "workflow/scripts/summary.py"
    body = "with start(snakemake) as job:\n    raise ValueError('on purpose')\n"
    script.write_text(f"from saegrid.base.job import start\n\n{body}")
    done = snakemake(work, "--cores", "1")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    text = lines(done.stdout + done.stderr)
    failed = text.index("TIME  FAILED summary: ValueError: on purpose")
    assert text[failed + 1] == "    log: logs/tiny/summary.log"
    assert re.match(r"Stopped after .*: 0 of 3 jobs are done, 1 failed, 2 did not run", text[-3])
    assert "give the same command again" in text[-2]
    assert "on purpose" in (work / "logs/tiny/summary.log").read_text()
    assert json.loads((work / "logs/tiny/run.json").read_text())["ended"] == "failed"


def test_what_is_quiet_says_failures_alone(work):
    text = lines(run(work, "--quiet", "rules", "progress"))
    assert not [line for line in text if line.startswith(("TIME", "Done"))]


def test_lists_on_standard_output_are_clean(work):
    """They are piped into other programs."""
    names = snakemake(work, "--list-rules").stdout.split()
    assert "summary" in names and not {"Estimate:", "Open"} & set(names)
    graph = snakemake(work, "--rulegraph").stdout
    assert graph.startswith("digraph")


def test_a_dry_run_lists_jobs_and_no_target(work):
    text = COLOURS.sub("", snakemake(work, "--dry-run").stderr)
    assert re.findall(r"^(?:local)?rule (\w+):$", text, re.M) == ["summary", "plot", "index"]
    assert re.search(r"^total +4$", text, re.M)


def test_snakemake_can_go_without_its_limit_of_jobs_a_second():
    """`wake_rarely` in common.smk sets an attribute that is Snakemake's own."""
    source = inspect.getsource(JobScheduler)
    assert "self.job_rate_limiter = " in source
    assert "if self.job_rate_limiter is None:" in source
    assert "if self.job_rate_limiter is not None:" in source
    default = MaxJobsPerTimespan.parse_choice("100/1s")
    assert (default.max_jobs, default.timespan) == (100, 1)


def test_a_run_has_no_timers_of_that_limit(work):
    script = work / "workflow/scripts/summary.py"
    script.write_text("import time\ntime.sleep(3)\n" + script.read_text())
    trace = work / "threads.py"
    trace.write_text(TRACE)
    done = subprocess.run(
        [sys.executable, str(trace), "--cores", "1", *TINY],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(work / "src")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "Timers: 0" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
