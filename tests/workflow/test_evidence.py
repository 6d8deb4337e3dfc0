"""Tests over the grid: their files, the jobs that a change causes, a changed plan, bad input."""

import pyarrow.parquet as pq
import pytest
from finished import TESTED, copy, finished
from pipeline import jobs_to_run, run, snakemake

from saegrid.base import io

pytestmark = pytest.mark.workflow
CELLS = ("L1A-8x", "L1R-8x")


@pytest.fixture(scope="module")
def done():
    return finished("tested")


@pytest.fixture(scope="module")
def facts(done):
    return io.read_json(done / "results/tiny/tests.json")


def table(folder, name):
    return pq.read_table(folder / "results/tiny" / name).to_pandas()


def of_cell(folder, cell):
    return table(folder, f"headlines/cells/{cell}/tests.parquet")


def test_counts_are_those_of_the_tables(done, facts):
    rows = {cell: of_cell(done, cell) for cell in CELLS}
    summary, discoveries = table(done, "tests.parquet"), table(done, "discoveries.parquet")
    assert [one["name"] for one in facts["contrasts"]] == ["k1", "k2", "k3g", "k4", "k5", "k6"]
    for one in facts["contrasts"]:
        own = {cell: rows[cell][rows[cell].contrast == one["name"]] for cell in CELLS}
        assert one["n_tested"] == sum(map(len, own.values())) > 0
        assert one["n_discovered"] == sum(int(t.discovered.sum()) for t in own.values())
        assert one["n_confirmed"] == sum(int((t.confirmed == True).sum()) for t in own.values())  # noqa: E712
        assert one["n_discovered"] == (discoveries.contrast == one["name"]).sum()
        assert sum(one["p_histogram"]) == one["n_tested"]
        assert len(one["shuffled"]) == 20
        for cell, tested in own.items():
            row = summary[(summary.contrast == one["name"]) & (summary.cell == cell)].iloc[0]
            assert row.n_tested == len(tested)
            assert row.n_discovered == tested.discovered.sum()
            assert (tested.discovered == (tested.p_maxt <= 0.05)).all()
            assert (tested.p_maxt >= tested.p_maxt_cell - 1e-12).all()


def test_statistics_are_those_of_the_codes(done):
    """One feature of K1, counted by hand from tokens and codes."""
    root = done / "results/tiny/headlines"
    tested = of_cell(done, "L1R-8x")
    row = tested[tested.contrast == "k1"].iloc[0]
    spans, tokens = (pq.read_table(root / f"{n}.parquet").to_pandas() for n in ("spans", "tokens"))
    first = tokens.groupby("row").head(1).reset_index().set_index("row")["index"]
    tensors = io.read_tensors(root / "cells/L1R-8x/features.safetensors")
    start, stop = tensors["indptr"][row.feature : row.feature + 2]
    active = set(tensors["indices"][start:stop].tolist())
    plan = io.read_json(done / "results/tiny/analysis_plan.json")
    fires = {}
    for side in ("edited", "original"):
        own = spans[spans.side == side].set_index("item")
        begins = first.loc[own.row].to_numpy()
        fires[side] = {
            item: any(t in active for t in range(b + one.edit_start, b + one.edit_stop))
            for (item, one), b in zip(own.iterrows(), begins, strict=True)
        }
    searched = io.read_table(root / "items.parquet")["split"].to_pylist()
    items = [i for i, split in enumerate(searched) if split == plan["parts"]["discovery"]["split"]]
    assert row.n_a == len(items)
    assert row.fire_a == sum(fires["edited"][i] for i in items)
    assert row.fire_b == sum(fires["original"][i] for i in items)
    assert row.effect == pytest.approx((row.fire_a - row.fire_b) / len(items))


def test_a_change_makes_what_follows_from_it(done, tmp_path):
    """A level makes no search again, permutations make all, and a cell more only its own."""
    work = copy(done, tmp_path / "saegrid")

    def jobs(**settings):
        return jobs_to_run(work, {"analyses": {"tests": settings}}, study=TESTED)

    after = {"tests": 1, "themes": 1, "concept_effects": 1, "findings": 1, "index": 1}
    assert jobs() == {}
    assert jobs(alpha=0.1) == {"analysis_plan": 1, **after}
    searched = {"contrasts": 2, "summary": 1, "plot": 1}
    assert jobs(permutations=60) == {"analysis_plan": 1, **searched, **after}
    grid = [{"layers": [1], "positions": ["a", "m", "r"], "saes": ["8x"]}]
    more = jobs_to_run(work, {"grid": grid}, study=TESTED)
    assert more["contrasts"] == more["density"] == more["train_sae"] == 1
    assert more["tests"] == more["findings"] == 1
    assert "analysis_plan" not in more


@pytest.mark.slow
def test_a_changed_plan_is_told_and_nothing_is_lost(done, tmp_path):
    work = copy(done, tmp_path / "saegrid")
    before = (work / "results/tiny/tests.parquet").read_bytes()
    run(work, "--config", "analyses={tests: {alpha: 0.2}}", study=TESTED)
    (change,) = io.read_json(work / "results/tiny/tests.json")["plan_changes"]
    assert "alpha was 0.05 and is 0.2" in change
    (kept,) = (work / "results/tiny/plans").iterdir()
    assert kept.name in change
    assert (kept / "tests.parquet").read_bytes() == before
    assert change in (work / "results/tiny/findings.html").read_text()


@pytest.mark.slow
def test_a_label_of_one_class_is_one_sentence_and_leaves_results(done, tmp_path):
    work = copy(done, tmp_path / "saegrid")
    before = {p: p.read_bytes() for p in (work / "results/tiny").rglob("*.parquet")}
    named = "contrasts: ['label'], label: split, discovery: train, confirmation: dev"
    settings = f"analyses={{tests: {{{named}}}}}"
    failed = snakemake(work, "--cores", "2", "--config", settings, study=TESTED)
    assert failed.returncode != 0
    said = failed.stdout + failed.stderr
    assert "'split' must have two classes, or be a number; it has 1: 'train'." in said
    assert "Traceback" not in said
    assert {p: p.read_bytes() for p in before} == before
