"""The target metrics where SAEs learn from a streamed corpus."""

import re

import pyarrow.parquet as pq
import pytest
from finished import STREAMED, copy, finished, write_streamed
from pipeline import jobs_to_run, planned, run, snakemake

from saegrid.base import io
from saegrid.config import ConfigError
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import decode, encode
from saegrid.text.split import held_out
from stores import column

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
METRICS = ("metrics",)
CELL, SITE = "L1R-8x", "L1R"


@pytest.fixture(scope="module")
def measured():
    return finished("streamed")


@pytest.fixture
def work(measured, tmp_path):
    folder = copy(measured, tmp_path / "saegrid")
    # The same texts, but not the same bytes, which would be refused.
    (folder / "copy.txt").write_text((folder / "texts/a.txt").read_text() + "\n")
    return folder


def facts_of(folder, corpus):
    return io.read_json(folder / f"results/streamed/{corpus}/cells/{CELL}/metrics.json")


def test_numbers_are_those_of_the_texts_that_the_training_left_out(measured):
    """The reference encoder gives them over the rows of the store that the hash leaves out."""
    found = facts_of(measured, "generated")
    (store,) = (measured / "results/streamed/generated/store").iterdir()
    x = column(store, SITE)[held_out(column(store, SITE, "row"), 0.1, 0)].astype("f8")
    sae = open_sae(measured / f"results/streamed/saes/{CELL}")
    z = encode(sae.encoder, x)
    values = {name: entry["value"] for name, entry in found["metrics"].items()}
    assert found["tokens"] == {"n": len(x), "held_out": len(x), "share": 0.1, "seed": 0}
    assert found["corpus"] == "generated"
    assert values["l0"] == (z > 0).sum() / len(x)
    fvu = ((x - decode(sae, z)) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum()
    assert values["fvu"] == pytest.approx(fvu, rel=1e-6)
    assert values["ce_original"] > 0 and values["kl"] > 0


def test_baselines_and_health_stand_beside_them(measured):
    table = pq.read_table(measured / f"results/streamed/generated/baselines/{SITE}.parquet")
    assert table["method"].to_pylist() == ["pca", "random"]
    found = facts_of(measured, "generated")
    assert set(table["n"].to_pylist()) == {found["tokens"]["n"]}
    health = pq.read_table(measured / "results/streamed/health.parquet").to_pandas()
    assert set(health["corpus"]) == {"generated"}
    assert health["pca_fvu"].tolist()[1] == table["fvu"].to_pylist()[0]


def test_it_runs_once(work):
    assert jobs_to_run(work, study=STREAMED, targets=METRICS) == {}
    (work / f"results/streamed/generated/cells/{CELL}/metrics.json").unlink()
    jobs = {"measure": 1, "baselines": 1, "health": 1}
    assert jobs_to_run(work, study=STREAMED, targets=METRICS) == jobs


def test_the_same_text_in_tables_gives_the_same_numbers(work):
    """Tokenised, captured and cut on another way: equal to the last bit."""
    write_streamed(work, tables="copy.txt", metrics={"corpus": "tables", "hold_out": 0.1})
    run(work, *METRICS, study=STREAMED)
    found, expected = facts_of(work, "generated"), facts_of(work, "tables")
    assert expected.pop("corpus") == "tables" and found.pop("corpus") == "generated"
    assert found == expected


def test_texts_that_are_learned_from_are_refused(work):
    write_streamed(work, tables="texts/a.txt", metrics={"corpus": "tables"})
    message = "'tables' has texts of 'generated', from which saes.8x"
    with pytest.raises(ConfigError, match=re.escape(message)):
        jobs_to_run(work, study=STREAMED, targets=METRICS)


def test_means_have_no_cross_entropy(work):
    write_streamed(work, choice="mean")
    run(work, *METRICS, study=STREAMED)
    assert len(list((work / "results/streamed/generated/store").iterdir())) == 2
    found = facts_of(work, "generated")["metrics"]
    assert found["kl"]["value"] is None and "choice mean" in found["kl"]["because"]
    assert found["fvu"]["value"] > 0


def test_an_sae_of_normed_activations_is_kept_from_plain_ones(work):
    write_streamed(work, norm="layer")
    assert planned(work, *METRICS, study=STREAMED)["measure"] == 2
    done = snakemake(work, "--dry-run", "cells", study=STREAMED)
    assert done.returncode != 0
    assert "corpora.generated.store.norm: the SAE of" in done.stdout + done.stderr
