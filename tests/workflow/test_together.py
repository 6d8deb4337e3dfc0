"""SAEs of a site that are trained in one job, and what a change of one of them runs again."""

from copy import deepcopy

import pytest
import yaml
from finished import PAIR, RELU, TOGETHER, copy, finished
from pipeline import edit, jobs_to_run, planned, run, snakemake

from saegrid.base import io
from saegrid.saes.formats.sae_lens import open_checkpoint
from saegrid.saes.training.measured import health

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

OF_A_CELL = {"encode", "density", "concepts", "top_tokens", "logit_effects", "page"}


@pytest.fixture(scope="module")
def pair():
    """A study whose SAEs are trained together, and nothing more."""
    return finished("pair")


@pytest.fixture(scope="module")
def done():
    """The tiny study, of whose cells one has since been trained together with another."""
    return finished("together")


@pytest.fixture
def work(done, tmp_path):
    return copy(done, tmp_path / "saegrid")


def files(folder, cell):
    found = (folder / "results/tiny/saes" / cell).iterdir()
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in found}


def contents(folder, cell):
    return {name: content for name, (content, _) in files(folder, cell).items()}


def inodes_of_store(folder):
    """Inodes of the trainings in the store: a training that runs again writes other files."""
    paths = (folder / "results/tiny/saes/store").glob("*/*")
    return {path: path.stat().st_ino for path in paths}


def test_all_members_are_trained_in_one_job_and_a_second_run_does_nothing(pair):
    assert set(files(pair, "L1A-8x")) == {
        "cfg.json",
        "history.parquet",
        "sae_weights.safetensors",
    }
    assert (pair / "results/tiny/saes/store/L1A-a.json").is_file()
    log = (pair / "logs/tiny/train_together-L1A-a.log").read_text()
    assert "0 of 2 are in the store" in log
    assert f"[{20 * '#'}] step 40/40" in log and "s left" in log
    assert "linked from" in (pair / "logs/tiny/L1A-8x/train_sae.log").read_text()
    assert jobs_to_run(pair, study=TOGETHER, targets=("saes",)) == {}


def test_one_that_learned_from_whitened_activations_takes_raw_ones(pair):
    """It learned beside one of raw ones, on the same batches."""
    sae = open_checkpoint(pair / "results/tiny/saes/L1A-4x")
    (path,) = pair.glob("results/tiny/generated/activations/*/L1A.safetensors")
    numbers = health(sae, io.read_tensors(path)["x"])
    assert numbers["fvu"]["value"] < 0.8 and numbers["l0"]["value"] > 1, numbers


def test_together_or_alone_decides_nothing(pair, done):
    """One of two was trained alone before, and so was then the other; the bytes are the same."""
    log = (done / "logs/tiny/train_together-L1A-a.log").read_text()
    assert "1 of 2 are in the store" in log
    alone = finished("tiny")
    assert contents(alone, "L1A-8x") == contents(pair, "L1A-8x") == contents(done, "L1A-8x")
    assert contents(done, "L1A-4x") == contents(pair, "L1A-4x")
    assert jobs_to_run(done, study=TOGETHER) == {}


def test_what_was_trained_together_is_not_trained_again(tmp_path):
    """Only the file that stands for both is lost."""
    work = copy(finished("pair"), tmp_path / "saegrid")
    cells = ("L1A-8x", "L1A-4x")
    before, trained = {cell: contents(work, cell) for cell in cells}, inodes_of_store(work)
    (work / "results/tiny/saes/store/L1A-a.json").unlink()
    jobs = jobs_to_run(work, study=TOGETHER, targets=("saes",))
    assert jobs == {"train_together": 1, "train_sae": 2}, "which link what is in the store"
    run(work, "saes", study=TOGETHER)
    assert "2 of 2 are in the store" in (work / "logs/tiny/train_together-L1A-a.log").read_text()
    assert {cell: contents(work, cell) for cell in before} == before
    assert inodes_of_store(work) == trained


def test_a_change_of_one_member_leaves_the_others(work):
    before = files(work, "L1A-8x")
    edit(work / TOGETHER[-1], "expansion: 4", "expansion: 5")
    plan = planned(work, study=TOGETHER)
    assert plan == jobs_to_run(work, study=TOGETHER)
    assert plan["train_together"] == plan["train_sae"] == 1
    assert {rule: plan[rule] for rule in OF_A_CELL} == dict.fromkeys(OF_A_CELL, 1)
    run(work, "saes", study=TOGETHER)
    assert "1 of 2 are in the store" in (work / "logs/tiny/train_together-L1A-a.log").read_text()
    assert files(work, "L1A-8x") == before
    weights = work / "results/tiny/saes/L1A-4x/sae_weights.safetensors"
    assert io.read_tensors(weights)["b_enc"].shape == (5 * 64,)
    assert len(list((work / "results/tiny/saes/store").glob("L1A-*x-*"))) == 2
    assert planned(work, "saes", study=TOGETHER) == {}


ADDED = {
    "saes": {"2x": RELU | {"expansion": 2, "settings": {"steps": 40}, "together": "a"}},
    "grid": [{"layers": [1], "positions": ["a"], "saes": ["8x", "4x", "2x"]}],
}


def test_a_member_that_is_added_is_trained_alone(done):
    plan = jobs_to_run(done, ADDED, study=TOGETHER)
    assert {rule: plan[rule] for rule in OF_A_CELL} == dict.fromkeys(OF_A_CELL, 1)
    assert plan["train_sae"] == plan["train_together"] == 1


def test_a_new_site_leaves_the_cells_of_the_others(done):
    grid = {"grid": [PAIR["grid"][0] | {"layers": [1, 2]}]}
    plan = jobs_to_run(done, grid, study=TOGETHER)
    assert plan["train_together"] == 1 and plan["train_sae"] == 2
    assert {rule: plan[rule] for rule in OF_A_CELL} == dict.fromkeys(OF_A_CELL, 2)


MISSING = {
    "pages": {**dict.fromkeys(OF_A_CELL, 1), "capture": 1, "index": 1},
    "figures": {**dict.fromkeys(OF_A_CELL - {"page"}, 1), "capture": 1, "plot": 1},
    "metrics": {"measure": 1, "baselines": 1, "health": 1},
}


def half(change):
    """The config of the half-finished study once a member has another name, or is no more."""
    config = deepcopy(PAIR)
    if change != "none":
        left = config["saes"].pop("4x")
        config["grid"][0]["saes"] = ["8x"]
    if change == "renamed":
        config["saes"]["5x"] = left
        config["grid"][0]["saes"].append("5x")
    return config


def is_what_is_missing(plan, change, target):
    cells = 1 if change == "dropped" else 2
    expected = {
        rule: count * (cells if rule in OF_A_CELL | {"measure"} else 1)
        for rule, count in MISSING[target].items()
    }
    assert {rule: plan.get(rule) for rule in expected} == expected
    assert plan.get("train_together", 0) == (change != "none")
    assert plan.get("train_sae", 0) == (change == "renamed")


@pytest.mark.parametrize("target", sorted(MISSING))
@pytest.mark.parametrize("change", ["none", "renamed", "dropped"])
def test_what_is_missing_of_a_half_finished_study_is_planned(pair, tmp_path, change, target):
    """Whatever has changed of the members."""
    work = copy(pair, tmp_path / "saegrid")
    (work / TOGETHER[-1]).write_text(yaml.safe_dump(half(change)))
    is_what_is_missing(jobs_to_run(work, study=TOGETHER, targets=(target,)), change, target)


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ("dropped", "metrics"),
        ("none", "figures"),
        ("renamed", "pages"),
    ],
)
def test_snakemake_plans_the_same(pair, tmp_path, change, target):
    """Snakemake hides what lies behind a job that runs."""
    work = copy(pair, tmp_path / "saegrid")
    (work / TOGETHER[-1]).write_text(yaml.safe_dump(half(change)))
    is_what_is_missing(planned(work, target, study=TOGETHER), change, target)


def test_members_that_cannot_share_a_stream_are_refused(work):
    edit(work / TOGETHER[-1], "steps: 40", "batch: 64")
    done = snakemake(work, "--dry-run", study=TOGETHER)
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "together 'a' needs one batch; got " in told and "saes." in told
