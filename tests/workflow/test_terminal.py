"""What a run prints: one line a job, and where something is wrong all of it."""

import inspect
import os
import re
import subprocess
import sys

import pytest
from finished import copy, finished
from pipeline import TINY, run, snakemake
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


def test_a_run_prints_a_line_a_job_and_names_its_page(work):
    profile, *table, estimate, first, second, third, last = lines(run(work))
    assert profile.startswith("Using workflow specific profile")
    assert table[-1].split() == ["total", "4"]
    assert estimate.startswith("Estimate: 3 jobs, about ")
    assert first == "TIME       0/4 summary"
    assert {second, third} <= {
        f"TIME       {n}/4 {rule}" for n in (1, 2) for rule in ("plot", "index")
    }
    assert last == "Open results/tiny/index.html"


def test_a_job_that_fails_is_told_with_its_rule_and_its_log(work):
    script = work / "workflow/scripts/summary.py"
    script.write_text("raise ValueError('on purpose')\n")
    done = snakemake(work, "--cores", "1")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "rule summary" in text and "on purpose" in text
    assert "logs/tiny/summary.log" in text


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
