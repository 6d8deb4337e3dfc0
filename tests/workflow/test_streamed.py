"""A corpus that is streamed into a store: what runs, and what a change runs again."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from pipeline import ROOT, checkout, planned, run, snakemake

from saegrid.base.tensors import open_tensors
from saegrid.pages.figures import SURVEY_FIGURES
from saegrid.store.manifest import read_manifest, verify
from stores import column, words

pytestmark = pytest.mark.workflow

STUDY = ("--configfile", "config/streamed.yaml")


def write_study(folder, layers=(1,), files=("texts/a.txt",), **told):
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["study"] = "streamed"
    study["corpora"]["generated"] = {
        "role": "train",
        "source": {"kind": "text", "files": {"all": list(files)}},
        "store": {"shard_tokens": 200, **told},
    }
    study["grid"] = [{"layers": list(layers), "positions": ["a", "r"], "saes": ["8x"]}]
    (folder / "config/streamed.yaml").write_text(yaml.safe_dump(study))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("streamed") / "saegrid")
    (folder / "texts").mkdir()
    for name, seed in (("a", 1), ("b", 2)):
        (folder / f"texts/{name}.txt").write_text("\n".join(words(60, seed, longest=20)))
    return folder


def shards(folder):
    """Time of change of each shard."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in sorted(folder.glob("results/streamed/generated/store/*/*/*.safetensors"))
    }


def test_a_streamed_corpus_has_a_store_and_no_tables(folder):
    write_study(folder, max_tokens=500)
    jobs = planned(folder, study=STUDY)
    assert jobs["fill_store"] == 1
    assert jobs["items"] == jobs["tokens"] == jobs["capture"] == 1
    assert jobs["train_sae"] == 2
    # Told beforehand, with a formula of its own.
    told = run(folder, "estimate", study=STUDY)
    assert re.search(r"^ *fill_store +1 ", told, re.M), told
    assert "Not counted" not in told
    assert "generated: not tokenised yet; counts are guessed from the size of its files." in told
    run(folder, "activations", study=STUDY)
    assert planned(folder, "activations", study=STUDY) == {}
    (store,) = (folder / "results/streamed/generated/store").iterdir()
    manifest = read_manifest(store)
    assert manifest.complete
    assert manifest.model == "resources/toy/model"
    assert 500 <= manifest.shards[-1].end.token < 600
    facts = json.loads((store / "L1R.json").read_text())
    assert facts["sha256"] == [shard.sha256["L1R"] for shard in manifest.shards]
    assert facts["entries"] == sum(shard.entries for shard in manifest.shards)
    x = open_tensors(store / "L1R/00000.safetensors").arrays["x"]
    assert x.shape == (manifest.shards[0].entries, facts["channels"])
    assert np.isfinite(x).all()


def test_more_text_more_files_and_more_sites_go_on(folder):
    before = shards(folder)
    write_study(folder, max_tokens=900)
    assert planned(folder, "activations", study=STUDY) == {"fill_store": 1}
    run(folder, "activations", study=STUDY)
    after = shards(folder)
    # Neither another store nor full shards that are made again.
    same = {path for path in before if after.get(path) == before[path]}
    assert {path.rpartition("/")[2] for path in same} == {"00000.safetensors", "00001.safetensors"}
    assert len({path.split("/")[4] for path in after}) == 1
    write_study(folder, files=["texts/*.txt"])
    run(folder, "activations", study=STUDY)
    more = shards(folder)
    write_study(folder, layers=(1, 3), files=["texts/*.txt"])
    assert planned(folder, "activations", study=STUDY) == {"fill_store": 1, "capture": 1}
    run(folder, "activations", study=STUDY)
    assert {path: shards(folder)[path] for path in more} == more
    (store,) = (folder / "results/streamed/generated/store").iterdir()
    manifest = read_manifest(store)
    assert [file["name"] for file in manifest.files] == ["a.txt", "b.txt"]
    assert manifest.shards[-1].end.text == 120
    assert verify(store) == 4 * len(manifest.shards)


def test_layers_of_tables_and_streams_are_surveyed(folder):
    run(folder, "layers", study=STUDY)
    assert planned(folder, "layers", study=STUDY) == {}
    layers, dimensions, pairs = (
        pq.read_table(folder / f"results/streamed/survey/{name}.parquet").to_pandas()
        for name in ("layers", "dimensions", "pairs")
    )
    assert set(layers["corpus"]) == {"headlines", "generated"}
    assert set(layers["site"]) == {"L1A", "L1R", "L3A", "L3R"}
    (store,) = (folder / "results/streamed/generated/store").iterdir()
    here = layers.query("corpus == 'generated' and site == 'L3R' and tokens == 'all'").iloc[0]
    x = column(store, "L3R").astype(np.float64)
    assert here["n"] == len(x)
    assert here["sum"] == pytest.approx(x.sum(), rel=1e-9)
    assert here["max"] == x.max()
    passes = pq.read_table(folder / "results/streamed/survey/passes.parquet").to_pandas()
    assert len(passes) == 10 * 2 * 4
    single = passes.query("corpus == 'generated' and site == 'L3R'")
    assert (np.stack(single["values"]) == x[single["token"]]).all()
    assert len(dimensions) == 2 * 4 * x.shape[1]
    assert len(pairs) == 4
    topics = pq.read_table(folder / "results/streamed/survey/base_rates.parquet").to_pandas()
    assert topics.groupby("corpus")["n_texts"].first()["generated"] == 120
    page = (folder / "results/streamed/survey.html").read_text()
    for text in ("generated", "L3R", "How common topics are", "Corpora compared"):
        assert text in page
    for name in SURVEY_FIGURES:
        assert f"figures/{name}.svg" in page
        assert (folder / f"results/streamed/figures/{name}.svg").is_file()
    assert (topics["word_share"] <= 1).all()
    assert topics["words"].sum() > 0


def test_another_choice_is_another_store(folder):
    write_study(folder, layers=(1, 3), files=["texts/*.txt"], choice="mean")
    assert planned(folder, "activations", study=STUDY) == {"fill_store": 1}
    run(folder, "activations", study=STUDY)
    stores = list((folder / "results/streamed/generated/store").iterdir())
    assert len(stores) == 2


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            {"files": ["texts/c.txt"]},
            "texts/c.txt is not there",
        ),
        ({"choise": "all"}, "choise is not a key. Did you mean 'choice'?"),
    ],
)
def test_mistakes_are_told_before_anything_runs(folder, told, message):
    write_study(folder, **told)
    done = snakemake(folder, "--cores", "1", "activations", study=STUDY)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
