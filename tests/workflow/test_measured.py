"""The target metrics on the tiny study: numbers, baselines, and what makes them run again."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from finished import copy, finished
from pipeline import jobs_to_run, planned

from saegrid.base import io
from saegrid.capture import activations
from saegrid.pages.figures import HEALTH_FIGURES
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import decode, encode
from saegrid.text.split import held_out

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
FOLDER = "results/tiny/generated"
IMAGES = re.compile(r'<img src="([^"]+)"')


@pytest.fixture(scope="module")
def measured():
    return finished("tiny")


def test_numbers_are_those_of_the_held_out_texts(measured):
    """The reference encoder gives them over the rows that the hash leaves out."""
    found = io.read_json(measured / FOLDER / "cells/L1R-8x/metrics.json")
    (path,) = (measured / FOLDER / "activations").glob("*/L1R.safetensors")
    x, token = activations.read(path)
    row = pq.read_table(measured / FOLDER / "tokens.parquet")["row"].to_numpy()
    x = x[held_out(row[token], 0.1, 0)].astype(np.float64)
    sae = open_sae(measured / "results/tiny/saes/L1R-8x")
    z = encode(sae.encoder, x)
    values = {name: entry["value"] for name, entry in found["metrics"].items()}
    assert found["tokens"]["n"] == len(x) == found["metrics"]["fvu"]["n"]
    assert values["l0"] == (z > 0).sum() / len(x)
    fvu = np.square(x - decode(sae, z)).sum() / np.square(x - x.mean(axis=0)).sum()
    assert values["fvu"] == pytest.approx(fvu, rel=1e-6)
    assert values["ce_original"] < values["ce_spliced"] < values["ce_zero"]
    assert 0 < values["ce_recovered"] < 1 and values["kl"] > 0


def test_baselines_stand_beside_them(measured):
    table = pq.read_table(measured / FOLDER / "baselines/L1R.parquet").to_pandas()
    assert table["method"].tolist() == ["pca", "ica", "nmf", "neurons", "random"]
    found = json.loads((measured / FOLDER / "cells/L1R-8x/metrics.json").read_text())
    assert set(table["k"]) == {8} == {round(found["metrics"]["l0"]["value"])}
    assert set(table["n"]) == {found["tokens"]["n"]}
    assert table["fvu"].between(0.01, 1).all()


def test_all_saes_stand_on_one_page(measured):
    table = pq.read_table(measured / "results/tiny/health.parquet").to_pandas()
    assert table["cell"].tolist() == ["L1A-8x", "L1R-8x"]
    found = io.read_json(measured / FOLDER / "cells/L1R-8x/metrics.json")["metrics"]
    assert table["fvu"][1] == found["fvu"]["value"] < table["random_fvu"][1]
    page = (measured / "results/tiny/health.html").read_text()
    assert all((measured / "results/tiny" / path).is_file() for path in IMAGES.findall(page))
    assert len(IMAGES.findall(page)) == len(HEALTH_FIGURES)


def test_what_runs_again(measured, tmp_path):
    metrics = ("metrics",)
    assert jobs_to_run(measured, targets=metrics) == {}
    fit = {"metrics": {"fit": 1000}}
    assert jobs_to_run(measured, fit, targets=metrics) == {"baselines": 2, "health": 1}
    work = copy(measured, tmp_path / "saegrid")
    (work / FOLDER / "cells/L1A-8x/metrics.json").unlink()
    again = {"measure": 1, "baselines": 1, "health": 1}
    assert planned(work, "metrics") == jobs_to_run(work, targets=metrics) == again


def test_a_new_site_leaves_the_others_alone(measured):
    grid = {"grid": [{"layers": [1], "positions": ["a", "m", "r"], "saes": ["8x"]}]}
    assert jobs_to_run(measured, grid, targets=("metrics",)) == {
        "capture": 1,
        "train_sae": 1,
        "measure": 1,
        "baselines": 1,
        "health": 1,
    }
