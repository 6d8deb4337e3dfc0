"""The target metrics where SAEs learn from a streamed corpus."""

import pyarrow.parquet as pq
import pytest
import yaml
from pipeline import ROOT, checkout, planned, results, run, snakemake

from saegrid.base import io
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import decode, encode
from saegrid.text.split import held_out
from stores import column, words

pytestmark = pytest.mark.workflow
STUDY = ("--configfile", "config/streamed.yaml")
CELL, SITE = "L1R-8x", "L1R"


def write_study(folder, metrics=None, tables="copy.txt", **store):
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["study"] = "streamed"
    source = {"kind": "text", "files": {"all": "texts.txt"}}
    study["corpora"]["generated"] = {
        "role": "train",
        "source": source,
        "store": {"shard_tokens": 200, **store},
    }
    study["corpora"]["tables"] = {
        "role": "reference",
        "source": {**source, "files": {"all": tables}},
        "tokens": {"edited": False, "original": False, "context": "all"},
    }
    study["metrics"] = {"baselines": ["pca", "random"], **(metrics or {})}
    (folder / "config/streamed.yaml").write_text(yaml.safe_dump(study))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("streamed") / "saegrid")
    # Each once: a table puts texts that stand twice on one side, a store does not know of them.
    texts = "\n".join(dict.fromkeys(words(150, 1, longest=20)))
    (folder / "texts.txt").write_text(texts)
    # The same texts, but not the same bytes, which would be refused.
    (folder / "copy.txt").write_text(texts + "\n")
    write_study(folder)
    run(folder, "metrics", study=STUDY)
    return folder


def facts_of(folder, corpus):
    return io.read_json(folder / f"results/streamed/{corpus}/cells/{CELL}/metrics.json")


def test_numbers_are_those_of_the_texts_that_the_training_left_out(measured):
    """Against the reference encoder over the rows of the store that the hash leaves out."""
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


def test_it_runs_once_and_gives_the_same_again(measured):
    assert planned(measured, "metrics", study=STUDY) == {}
    path = measured / f"results/streamed/generated/cells/{CELL}/metrics.json"
    path.unlink()
    assert planned(measured, "metrics", study=STUDY) == {"measure": 1, "baselines": 1, "health": 1}
    before = results(measured)
    run(measured, "metrics", study=STUDY)
    assert before.items() <= results(measured).items()


def test_the_same_text_in_tables_gives_the_same_numbers(measured):
    """Tokenised, captured and cut on another way: equal to the last bit."""
    write_study(measured, {"corpus": "tables", "hold_out": 0.1})
    run(measured, "metrics", study=STUDY)
    found, expected = facts_of(measured, "generated"), facts_of(measured, "tables")
    assert expected.pop("corpus") == "tables" and found.pop("corpus") == "generated"
    assert found == expected


def test_texts_that_are_learned_from_are_refused(measured):
    write_study(measured, {"corpus": "tables"}, tables="texts.txt")
    done = snakemake(measured, "--dry-run", "metrics", study=STUDY)
    assert done.returncode != 0
    assert "'tables' has texts of 'generated', from which saes.8x" in done.stdout + done.stderr


def test_means_have_no_cross_entropy(measured):
    write_study(measured, choice="mean")
    run(measured, "metrics", study=STUDY)
    found = facts_of(measured, "generated")["metrics"]
    assert found["kl"]["value"] is None and "choice mean" in found["kl"]["because"]
    assert found["fvu"]["value"] > 0


def test_an_sae_of_normed_activations_is_kept_from_plain_ones(measured):
    write_study(measured, norm="layer")
    assert planned(measured, "metrics", study=STUDY)["measure"] == 2
    done = snakemake(measured, "--dry-run", "cells", study=STUDY)
    assert done.returncode != 0
    assert "corpora.generated.store.norm: the SAE of" in done.stdout + done.stderr
