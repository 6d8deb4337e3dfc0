"""The graph of jobs: what a clean tree asks for, and how long it takes to see it (D15)."""

import re
import time
from pathlib import Path

import pytest
import yaml
from pipeline import ROOT, checkout, planned, snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("dag") / "saegrid")


def test_the_published_20_cells(clean):
    jobs = planned(clean, study=())
    cells = {"train_sae", "encode", "density", "top_tokens", "logit_effects", "page"}
    assert jobs == {
        **dict.fromkeys(cells, 20),
        **dict.fromkeys(("items", "selection", "tokens", "capture"), 2),
        **dict.fromkeys(("summary", "plot", "index"), 1),
    }


def test_all_150_cells_share_their_captures(clean):
    jobs = planned(clean, "--config", "grid=full", study=())
    assert jobs["encode"] == jobs["train_sae"] == jobs["page"] == 150
    # All 75 sites of a corpus in one pass of the model.
    assert jobs["capture"] == 2


def test_the_corpus_asks_for_no_model(clean, tmp_path):
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["model"] = {"path": "nowhere/at/all", "tokenizer": "resources/toy/model"}
    study["saes"]["8x"] = {"source": "checkpoint", "format": "llama_scope", "path": "also/nowhere"}
    (clean / "config/elsewhere.yaml").write_text(yaml.safe_dump(study))
    elsewhere = ("--configfile", "config/elsewhere.yaml")
    assert planned(clean, "corpus", study=elsewhere) == {"items": 1, "selection": 1, "tokens": 1}
    done = snakemake(clean, "--dry-run", study=elsewhere)
    assert done.returncode != 0
    assert "model.path: there is no folder nowhere/at/all." in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("layers: [1]", "layers: [1, 40]", "layers [40] are not in the model"),
        ("recipe: topk", "recipe: topkk", "recipe 'topkk' is unknown. Did you mean 'topk'?"),
        ("steps: 40", "stpes: 40", "stpes"),
        ("headlines.csv", "headlnes.csv", "headlnes.csv is not there."),
        ("kind: csv", "kind: cvs", "'cvs' is unknown. Did you mean 'csv'?"),
        ("study: tiny", "study: tiny\nmodle: {}", "modle is not a key. Did you mean 'model'?"),
    ],
)
def test_mistakes_are_told_before_anything_runs(clean, old, new, message):
    text = (ROOT / "config/tiny.yaml").read_text()
    assert text.count(old) == 1
    (clean / "config/wrong.yaml").write_text(text.replace(old, new))
    done = snakemake(clean, "--cores", "1", study=("--configfile", "config/wrong.yaml"))
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert not list((clean / "results").rglob("*.parquet"))


def test_only_jobs_with_the_model_or_an_encoder_ask_for_a_gpu(clean):
    """The rules say who needs a GPU; profiles say which."""
    asking = set()
    for smk in sorted((clean / "workflow/rules").glob("*.smk")):
        for name, body in re.findall(
            r"^rule (\w+):\n(.*?)(?=^\S|\Z)", smk.read_text(), re.S | re.M
        ):
            if "gpu=" in body:
                asking.add(name)
    assert asking == {"capture", "encode"}


def grid_of(folder: Path, cells: int) -> tuple[str, ...]:
    """A config with that many cells: ten SAEs at each of 75 sites, twice where needed."""
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    names = [f"{n}x" for n in range(1, cells // 75 + 1)]
    study["saes"] = {
        name: {"source": "train", "expansion": 8, "corpus": "generated", "seed": n}
        for n, name in enumerate(names)
    }
    study["grid"] = [{"layers": list(range(7, 32)), "positions": ["a", "m", "r"], "saes": names}]
    (folder / "config/many.yaml").write_text(yaml.safe_dump(study))
    return ("--configfile", "config/many.yaml")


@pytest.mark.parametrize(("cells", "seconds"), [(150, 5), (1500, 30)])
def test_a_dry_run_is_soon_over(clean, cells, seconds):
    """Measured without other work: 150 cells in 5 s and 1,500 in 30 s; here with room for load."""
    study = grid_of(clean, cells)
    start = time.monotonic()
    assert planned(clean, study=study)["encode"] == cells
    took = time.monotonic() - start
    print(f"{cells} cells: {took:.1f} s")
    assert took < 4 * seconds
