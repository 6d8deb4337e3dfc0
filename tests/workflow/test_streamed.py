"""A corpus that is streamed into a store: what runs, and what a change runs again."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from finished import STREAMED, copy, finished, streamed, write_streamed
from pipeline import jobs_to_run, planned, run, snakemake

from saegrid.base.recorded import recorded_spec
from saegrid.base.tensors import open_tensors
from saegrid.config import ConfigError
from saegrid.pages.figures import SURVEY_FIGURES
from saegrid.store.manifest import read_manifest, verify
from stores import column

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

ACTIVATIONS = ("activations",)


@pytest.fixture(scope="module")
def done():
    return finished("streamed")


@pytest.fixture
def work(done, tmp_path):
    return copy(done, tmp_path / "saegrid")


@pytest.fixture(scope="module")
def more(done, tmp_path_factory):
    """The study after another file and another layer, with its survey."""
    folder = copy(done, tmp_path_factory.mktemp("more") / "saegrid")
    write_streamed(folder, layers=(1, 3), files=["texts/*.txt"])
    run(folder, "layers", study=STREAMED)
    return folder


def store_of(folder):
    (store,) = (folder / "results/streamed/generated/store").iterdir()
    return store


def shards(folder):
    """Time of change of each shard."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in sorted(folder.glob("results/streamed/generated/store/*/*/*.safetensors"))
    }


def test_a_streamed_corpus_has_a_store_and_no_tables(tmp_path):
    folder = streamed(tmp_path / "saegrid", max_tokens=500)
    jobs = planned(folder, study=STREAMED)
    assert jobs == jobs_to_run(folder, study=STREAMED)
    assert jobs["fill_store"] == 1
    assert jobs["items"] == jobs["tokens"] == jobs["capture"] == 1
    assert jobs["train_sae"] == 2
    # Told beforehand, with a formula of its own.
    told = run(folder, "estimate", study=STREAMED)
    assert re.search(r"^ *fill_store +1 ", told, re.M), told
    assert "Not counted" not in told
    assert "generated: not tokenised yet; counts are guessed from the size of its files." in told


def test_the_store_is_whole(done):
    assert jobs_to_run(done, study=STREAMED, targets=ACTIVATIONS) == {}
    store = store_of(done)
    manifest = read_manifest(store)
    assert manifest.complete
    assert manifest.model == "resources/toy/model"
    facts = json.loads((store / "L1R.json").read_text())
    assert facts["sha256"] == [shard.sha256["L1R"] for shard in manifest.shards]
    assert facts["entries"] == sum(shard.entries for shard in manifest.shards)
    x = open_tensors(store / "L1R/00000.safetensors").arrays["x"]
    assert x.shape == (manifest.shards[0].entries, facts["channels"])
    assert np.isfinite(x).all()


def test_saes_learn_from_it(done):
    assert jobs_to_run(done, study=STREAMED, targets=("saes",)) == {}
    spec = recorded_spec(done / "results/streamed/saes/L1R-8x/sae_weights.safetensors")
    assert '"corpus":"generated"' in spec


GROWN = {
    "less text": ({"max_tokens": 900}, {"fill_store": 1}),
    "more files": ({"files": ["texts/*.txt"]}, {"fill_store": 1}),
    "more sites": ({"layers": (1, 3)}, {"fill_store": 1, "capture": 1}),
    "another choice": ({"choice": "mean"}, {"fill_store": 1}),
}


@pytest.mark.parametrize("change", GROWN)
def test_a_change_goes_on_with_the_store(work, change):
    settings, jobs = GROWN[change]
    write_streamed(work, **settings)
    assert jobs_to_run(work, study=STREAMED, targets=ACTIVATIONS) == jobs


@pytest.mark.parametrize("change", GROWN)
def test_snakemake_plans_the_same(work, change):
    settings, jobs = GROWN[change]
    write_streamed(work, **settings)
    assert planned(work, *ACTIVATIONS, study=STREAMED) == jobs


def test_more_files_and_more_sites_go_on(done, more):
    before, after = shards(done), shards(more)
    # Neither another store nor full shards that are made again.
    *full, last = sorted({path.rpartition("/")[2] for path in before})
    assert {path for path in before if after.get(path) == before[path]} == {
        path for path in before if not path.endswith(last)
    }
    assert len(full) > 2
    store = store_of(more)
    assert store.name == store_of(done).name
    manifest = read_manifest(store)
    assert [file["name"] for file in manifest.files] == ["a.txt", "b.txt"]
    assert manifest.complete
    assert manifest.shards[-1].end.text > read_manifest(store_of(done)).shards[-1].end.text
    assert verify(store) == 4 * len(manifest.shards)


def test_layers_of_tables_and_streams_are_surveyed(more):
    assert jobs_to_run(more, study=STREAMED, targets=("layers",)) == {}
    layers, dimensions, pairs = (
        pq.read_table(more / f"results/streamed/survey/{name}.parquet").to_pandas()
        for name in ("layers", "dimensions", "pairs")
    )
    assert set(layers["corpus"]) == {"headlines", "generated"}
    assert set(layers["site"]) == {"L1A", "L1R", "L3A", "L3R"}
    store = store_of(more)
    here = layers.query("corpus == 'generated' and site == 'L3R' and tokens == 'all'").iloc[0]
    x = column(store, "L3R").astype(np.float64)
    assert here["n"] == len(x)
    assert here["sum"] == pytest.approx(x.sum(), rel=1e-9)
    assert here["max"] == x.max()
    passes = pq.read_table(more / "results/streamed/survey/passes.parquet").to_pandas()
    assert len(passes) == 10 * 2 * 4
    single = passes.query("corpus == 'generated' and site == 'L3R'")
    assert (np.stack(single["values"]) == x[single["token"]]).all()
    assert len(dimensions) == 2 * 4 * x.shape[1]
    assert len(pairs) == 4
    topics = pq.read_table(more / "results/streamed/survey/base_rates.parquet").to_pandas()
    n_texts = read_manifest(store).shards[-1].end.text
    assert topics.groupby("corpus")["n_texts"].first()["generated"] == n_texts
    page = (more / "results/streamed/survey.html").read_text()
    for text in ("generated", "L3R", "How common topics are", "Corpora compared"):
        assert text in page
    for name in SURVEY_FIGURES:
        assert f"figures/{name}.svg" in page
        assert (more / f"results/streamed/figures/{name}.svg").is_file()
    assert (topics["word_share"] <= 1).all()
    assert topics["words"].sum() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"files": ["texts/c.txt"]},
            "texts/c.txt is not there",
        ),
        ({"choise": "all"}, "choise is not a key. Did you mean 'choice'?"),
    ],
)
def test_mistakes_are_told_before_anything_runs(work, settings, message):
    write_streamed(work, **settings)
    with pytest.raises(ConfigError, match=re.escape(message)):
        jobs_to_run(work, study=STREAMED, targets=ACTIVATIONS)


def test_a_mistake_stops_snakemake(work):
    write_streamed(work, files=["texts/c.txt"])
    done = snakemake(work, "--cores", "1", "activations", study=STREAMED)
    assert done.returncode != 0
    assert "the file texts/c.txt is not there" in done.stdout + done.stderr
