"""An analysis that is added to a finished study, asked of Snakemake itself."""

import numpy as np
import pytest
from finished import copy, finished
from pipeline import edit, planned, run, snakemake

from saegrid.base import io
from saegrid.codes.sparse import read_features

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

FILES = {
    "src/saegrid/metrics/often.py": '''
"""Features that are active on many tokens."""

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features


def often(features: Features, tokens: int) -> pa.Table:
    """One row: the number of features that are active on at least so many tokens."""
    return pa.table({"n_often": [int((np.diff(features.indptr) >= tokens).sum())]})


def number(table: pa.Table) -> int:
    """The number."""
    return table["n_often"][0].as_py()
''',
    "src/saegrid/stages/often.py": '''
"""Features of a cell that are active on many tokens."""

from saegrid.base.section import Positive, Strict
from saegrid.stages.places import cells
from saegrid.stages.stage import CELL, Column, Stage


class Settings(Strict):
    """Features that are active on many tokens."""

    tokens: Positive
    """So many tokens are many."""


NUMBER = "saegrid.metrics.often:number"
OFTEN = Stage(
    "often",
    reads={"features": "encode.features"},
    writes={"table": CELL + "often.parquet"},
    config=Settings,
    ends=cells,
    shows=(Column("n_often", "often", "{:,}", "features active often", NUMBER, "often.table"),),
)
''',
    "workflow/scripts/often.py": '''
"""Features of a cell that are active on many tokens."""

from saegrid.base import io
from saegrid.codes.sparse import read_features
from saegrid.base.job import start
from saegrid.metrics.often import often

with start(snakemake) as job:
    table = often(read_features(job.input.features), **job.settings["often"])
    io.write_table(job.output.table, table, job.spec)
''',
}
LINES = {
    "src/saegrid/stages/__init__.py": [
        ('    "page": ', '    "often": "saegrid.stages.often:OFTEN",\n    "page": '),
        ("] = {", '] = {"often": "saegrid.stages.often:Settings", '),
    ],
    "workflow/rules/cells.smk": [('"logit_effects"', '"logit_effects", "often"')],
}
CELLS = ("L1A-8x", "L1R-8x")
SHOWN = {"summary": 1, "plot": 1, "index": 1}
"""Files that are made again where a number of a cell is another."""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A copy of the tiny study, finished before it knew of the analysis."""
    folder = copy(finished("tiny"), tmp_path_factory.mktemp("added") / "saegrid")
    for path, text in FILES.items():
        (folder / path).write_text(text.lstrip())
    for path, pairs in LINES.items():
        for old, new in pairs:
            edit(folder / path, old, new)
    return folder


def table(folder, cell, name):
    return folder / f"results/tiny/headlines/cells/{cell}/{name}"


def refusal(folder, *asked):
    """The only line that is said of what cannot be made."""
    done = snakemake(folder, *asked, "--dry-run")
    assert done.returncode == 1 and "Error" not in done.stderr, done.stderr
    return done.stderr.splitlines()[-1]


def test_without_its_section_nothing_is_run_and_asking_is_refused(work):
    assert planned(work) == {}
    mend = "The study does not name the analysis often: add `analyses: {often: {...}}` to its"
    assert refusal(work, "all_often") == f"all_often is of an analysis. {mend} config."
    path = str(table(work, "L1R-8x", "often.parquet").relative_to(work))
    assert refusal(work, path) == f"{path} is of an analysis. {mend} config."
    assert refusal(work, "often") == (
        f"often is a stage and no target: ask for all_often. {mend} config."
    )


def test_it_runs_alone_and_then_with_what_shows_it(work):
    edit(work / "config/tiny.yaml", "concepts:\n", "analyses: {often: {tokens: 3}}\nconcepts:\n")
    assert refusal(work, "often") == "often is a stage and no target: ask for all_often."
    assert planned(work, "all_often") == {"often": 2}
    run(work, "all_often")
    numbers = {}
    for cell in CELLS:
        counts = np.diff(read_features(table(work, cell, "features.safetensors")).indptr)
        found = io.read_table(table(work, cell, "often.parquet")).to_pylist()
        assert found == [{"n_often": (counts >= 3).sum()}] and 0 < found[0]["n_often"] < len(counts)
        numbers[cell] = found[0]["n_often"]
    assert planned(work) == SHOWN
    run(work)
    rows = io.read_table(work / "results/tiny/summary.parquet").to_pylist()
    assert {row["cell"]: row["n_often"] for row in rows} == numbers
    page = (work / "results/tiny/index.html").read_text()
    assert "features active often" in page and f">{numbers['L1R-8x']:,}<" in page
    assert planned(work) == {}


def test_another_setting_runs_it_again_and_an_override_one_cell(work):
    edit(work / "config/tiny.yaml", "tokens: 3}", "tokens: 4}")
    assert planned(work) == {"often": 2, **SHOWN}
    edit(work / "config/tiny.yaml", "tokens: 4}", "tokens: 3}")
    more = "overrides: {L1R-8x: {often: {tokens: 5}}}\nconcepts:\n"
    edit(work / "config/tiny.yaml", "concepts:\n", more)
    assert planned(work) == {"often": 1, **SHOWN}
