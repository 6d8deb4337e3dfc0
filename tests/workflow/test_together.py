"""SAEs of a site that are trained in one job, and what a change of one of them runs again."""

import copy

import pytest
import yaml
from pipeline import checkout, edit, planned, run, snakemake

from saegrid.base import io
from saegrid.saes.formats.sae_lens import open_checkpoint
from saegrid.saes.training.measured import health

pytestmark = pytest.mark.workflow

STUDY = ("--configfile", "config/tiny.yaml", "config/together.yaml")
RELU = {"source": "train", "recipe": "relu_l1", "expansion": 4, "corpus": "generated"}
CONFIG = {
    "saes": {
        "8x": {"together": "a"},
        "4x": RELU | {"settings": {"steps": 40, "whiten": "zca"}, "together": "a"},
    },
    "grid": [{"layers": [1], "positions": ["a"], "saes": ["8x", "4x"]}],
}
OF_A_CELL = {"encode", "density", "top_tokens", "logit_effects", "page"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = checkout(tmp_path_factory.mktemp("together") / "saegrid")
    (made / "config/together.yaml").write_text(yaml.safe_dump(CONFIG))
    run(made, study=STUDY)
    return made


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A study whose SAEs are trained, and nothing more."""
    made = checkout(tmp_path_factory.mktemp("half") / "saegrid")
    (made / "config/together.yaml").write_text(yaml.safe_dump(CONFIG))
    run(made, "saes", study=STUDY)
    return made


def files(folder, cell):
    found = (folder / "results/tiny/saes" / cell).iterdir()
    return {path.name: (path.read_bytes(), path.stat().st_ino) for path in found}


def test_all_members_are_trained_in_one_job_and_a_second_run_does_nothing(folder):
    assert set(files(folder, "L1A-8x")) == {
        "cfg.json",
        "history.parquet",
        "sae_weights.safetensors",
    }
    assert (folder / "results/tiny/saes/store/L1A-a.json").is_file()
    log = (folder / "logs/tiny/saes/L1A-together-a.log").read_text()
    assert "0 of 2 are in the store" in log
    assert f"[{20 * '#'}] step 40/40" in log and "s left" in log
    assert "linked from" in (folder / "logs/tiny/saes/L1A-8x.log").read_text()
    assert planned(folder, study=STUDY) == {}


def test_one_that_learned_from_whitened_activations_takes_raw_ones(folder):
    """Beside one that learned from raw ones, on the same batches."""
    sae = open_checkpoint(folder / "results/tiny/saes/L1A-4x")
    (path,) = folder.glob("results/tiny/generated/activations/*/L1A.safetensors")
    numbers = health(sae, io.read_tensors(path)["x"])
    assert numbers["fvu"]["value"] < 0.8 and numbers["l0"]["value"] > 1, numbers


def test_together_or_alone_decides_nothing(folder, tmp_path):
    """The same bytes, and no job where SAEs that stand there are to be trained together."""
    alone = checkout(tmp_path / "saegrid")
    config = {
        **CONFIG,
        "saes": {name: {**sae, "together": None} for name, sae in CONFIG["saes"].items()},
    }
    (alone / "config/together.yaml").write_text(yaml.safe_dump(config))
    run(alone, "saes", study=STUDY)
    for cell in ("L1A-8x", "L1A-4x"):
        together = {name: content for name, (content, _) in files(folder, cell).items()}
        assert {name: content for name, (content, _) in files(alone, cell).items()} == together
    before = {cell: files(alone, cell) for cell in ("L1A-8x", "L1A-4x")}
    (alone / "config/together.yaml").write_text(yaml.safe_dump(CONFIG))
    run(alone, "saes", study=STUDY)
    assert "2 of 2 are in the store" in (alone / "logs/tiny/saes/L1A-together-a.log").read_text()
    assert {cell: files(alone, cell) for cell in before} == before


def test_a_change_of_one_member_leaves_the_others(folder):
    before = files(folder, "L1A-8x")
    edit(folder / "config/together.yaml", "expansion: 4", "expansion: 5")
    plan = planned(folder, study=STUDY)
    assert plan["train_together"] == plan["train_sae"] == 1
    assert {rule: plan[rule] for rule in OF_A_CELL} == dict.fromkeys(OF_A_CELL, 1)
    run(folder, study=STUDY)
    assert "1 of 2 are in the store" in (folder / "logs/tiny/saes/L1A-together-a.log").read_text()
    assert files(folder, "L1A-8x") == before
    weights = folder / "results/tiny/saes/L1A-4x/sae_weights.safetensors"
    assert io.read_tensors(weights)["b_enc"].shape == (5 * 64,)
    assert len(list((folder / "results/tiny/saes/store").glob("L1A-*x-*"))) == 2
    assert planned(folder, study=STUDY) == {}


def test_a_member_that_is_added_is_trained_alone(folder):
    text = (folder / "config/together.yaml").read_text()
    config = yaml.safe_load(text)
    config["saes"]["2x"] = RELU | {"expansion": 2, "settings": {"steps": 40}, "together": "a"}
    config["grid"][0]["saes"].append("2x")
    (folder / "config/together.yaml").write_text(yaml.safe_dump(config))
    plan = planned(folder, study=STUDY)
    assert {rule: plan[rule] for rule in OF_A_CELL} == dict.fromkeys(OF_A_CELL, 1)
    assert plan["train_sae"] == plan["train_together"] == 1
    (folder / "config/together.yaml").write_text(text)


def test_a_new_site_leaves_the_cells_of_the_others(folder):
    edit(folder / "config/together.yaml", "- 1\n", "- 1\n  - 2\n")
    plan = planned(folder, study=STUDY)
    assert plan["train_together"] == 1 and plan["train_sae"] == 2
    assert {rule: plan[rule] for rule in OF_A_CELL} == dict.fromkeys(OF_A_CELL, 2)


MISSING = {
    "pages": {**dict.fromkeys(OF_A_CELL, 1), "capture": 1, "index": 1},
    "figures": {**dict.fromkeys(OF_A_CELL - {"page"}, 1), "capture": 1, "plot": 1},
    "metrics": {"measure": 1, "baselines": 1, "health": 1},
}


@pytest.mark.parametrize("target", sorted(MISSING))
@pytest.mark.parametrize("change", ["none", "renamed", "dropped"])
def test_what_is_missing_of_a_half_finished_study_is_planned(half, change, target):
    """Whatever has changed of the members: Snakemake hides what lies behind a job that runs."""
    config = copy.deepcopy(CONFIG)
    if change != "none":
        left = config["saes"].pop("4x")
        config["grid"][0]["saes"] = ["8x"]
    if change == "renamed":
        config["saes"]["5x"] = left
        config["grid"][0]["saes"].append("5x")
    (half / "config/together.yaml").write_text(yaml.safe_dump(config))
    plan = planned(half, target, study=STUDY)
    cells = len(config["saes"])
    expected = {
        rule: count * (cells if rule in OF_A_CELL | {"measure"} else 1)
        for rule, count in MISSING[target].items()
    }
    assert {rule: plan.get(rule) for rule in expected} == expected
    assert plan.get("train_together", 0) == (change != "none")
    assert plan.get("train_sae", 0) == (change == "renamed")


def test_members_that_cannot_share_a_stream_are_refused(folder):
    text = (folder / "config/together.yaml").read_text()
    edit(folder / "config/together.yaml", "steps: 40", "batch: 64")
    done = snakemake(folder, "--dry-run", study=STUDY)
    (folder / "config/together.yaml").write_text(text)
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "together 'a' needs one batch; got " in told and "saes." in told
