"""What a run prints: one line a job, and where something is wrong all of it."""

import re

import pytest
from finished import copy, finished
from pipeline import run, snakemake

pytestmark = pytest.mark.workflow
PAGE = "results/tiny/headlines/cells/L1A-8x/features.html"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def work(tmp_path):
    folder = copy(finished("tiny"), tmp_path / "saegrid")
    (folder / PAGE).unlink()
    return folder


def lines(text):
    """The lines of a run, without colours, times and the name of its log."""
    plain = COLOURS.sub("", text).splitlines()
    timeless = [re.sub(r"^\d\d:\d\d:\d\d ", "TIME ", line) for line in plain]
    return [line for line in timeless if line and not line.startswith("Complete log")]


def test_a_run_prints_a_line_a_job_and_names_its_page(work):
    estimate, *rest = lines(run(work))
    assert estimate.startswith("Estimate: 4 jobs, about ")
    assert rest == [
        "TIME       0/5 page headlines L1A-8x",
        "TIME       1/5 summary",
        "TIME       2/5 plot",
        "TIME       3/5 index",
        "Open results/tiny/index.html",
    ]


def test_a_job_that_fails_is_told_with_its_rule_and_its_log(work):
    script = work / "workflow/scripts/page.py"
    script.write_text("raise ValueError('on purpose')\n")
    done = snakemake(work, "--cores", "1")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "rule page" in text and "on purpose" in text
    assert "logs/tiny/headlines/L1A-8x/page.log" in text


def test_a_dry_run_lists_jobs_and_no_target(work):
    text = COLOURS.sub("", snakemake(work, "--dry-run").stderr)
    assert re.findall(r"^(?:local)?rule (\w+):$", text, re.M) == ["page", "summary", "plot", "index"]
    assert re.search(r"^total +5$", text, re.M)
