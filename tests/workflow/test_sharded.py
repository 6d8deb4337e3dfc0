"""A corpus in shards: the results of the whole, and no more jobs than a change needs."""

import os
import re
import shutil

import pytest
from finished import SHARDED, copy, finished
from pipeline import edit, jobs_to_run, planned, results, results_of_cells, run, snakemake

from saegrid.base import io
from saegrid.codes.sparse import read_features, write_features

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

TAIL = {"summary": 1, "plot": 1, "index": 1, "concept_map": 1, "map": 1}
SHOWN = {"density": 2, "concepts": 2, "top_tokens": 2, "logit_effects": 2, "page": 2, **TAIL}
ONE_SHOWN = {**dict.fromkeys(SHOWN, 1), **TAIL}
HEADLINES = "tiny/headlines"


@pytest.fixture(scope="module")
def whole():
    return finished("tiny")


@pytest.fixture(scope="module")
def done():
    return finished("sharded")


@pytest.fixture
def work(done, tmp_path):
    return copy(done, tmp_path / "saegrid")


def shards_of(folder, pattern):
    return sorted((folder / "results" / HEADLINES).glob(pattern))


def test_shards_change_no_byte_but_the_specs_of_merged_files(whole, done):
    one, three = results_of_cells(whole), results_of_cells(done)
    parts = {name for name in one.keys() ^ three.keys() if "/activations/" not in name}
    assert parts == {
        f"{HEADLINES}/cells/{cell}/features/shard-{number}-of-3.safetensors"
        for cell in ("L1A-8x", "L1R-8x")
        for number in (1, 2, 3)
    }
    differ = {name for name in one.keys() & three.keys() if one[name] != three[name]}
    features = {f"{HEADLINES}/cells/{cell}/features.safetensors" for cell in ("L1A-8x", "L1R-8x")}
    # The summary knows the specs that the files of its cells must have; pictures are the same.
    pictures = {name for name in one if name.endswith(".svg")}
    assert differ == {*features, *pictures, "tiny/summary.parquet", "tiny/index.html"}
    for name in pictures:
        bodies = [re.sub(rb"<!-- saegrid-spec=.*-->", b"", files[name]) for files in (one, three)]
        assert bodies[0] == bodies[1]
    for name in features:
        paths = [folder / "results" / name for folder in (whole, done)]
        tensors = [io.read_tensors(path) for path in paths]
        assert {k: v.tobytes() for k, v in tensors[0].items()} == {
            k: v.tobytes() for k, v in tensors[1].items()
        }
        headers = [io.read_header(path) for path in paths]
        specs = [header.pop(io.SPEC) for header in headers]
        assert headers[0] == headers[1]
        assert specs[0] != specs[1]
    tables = [io.read_table(folder / "results/tiny/summary.parquet") for folder in (whole, done)]
    assert tables[0].equals(tables[1])


def test_shards_joined_are_the_capture_of_the_whole(whole, done):
    for path in shards_of(whole, "activations/*/L1?.safetensors"):
        found = io.read_tensors(path)
        parts = [io.read_tensors(p) for p in shards_of(done, f"activations/*/shard-*/{path.name}")]
        assert len(parts) == 3
        sizes = [len(part["token"]) for part in parts]
        assert max(sizes) < 1.1 * min(sizes)
        for name in ("x", "token"):
            joined = b"".join(part[name].tobytes() for part in parts)
            assert joined == found[name].tobytes()


CHANGES = {
    "nothing": (lambda work: None, {}),
    "the activations of a site in one shard are deleted": (
        lambda work: shards_of(work, "activations/*/shard-2-of-3/L1R.safetensors")[0].unlink(),
        {"capture": 1, "encode": 1, "merge": 1, **ONE_SHOWN},
    ),
    "the features of a cell in one shard are deleted": (
        lambda work: shards_of(work, "cells/L1A-8x/features/shard-3*")[0].unlink(),
        {"encode": 1, "merge": 1, **ONE_SHOWN},
    ),
    "merged features are deleted": (
        lambda work: shards_of(work, "cells/L1A-8x/features.safetensors")[0].unlink(),
        {"merge": 1, **ONE_SHOWN},
    ),
    "the filter": (
        lambda work: edit(work / "config/tiny.yaml", "value: 2.0", "value: 1.8"),
        {"selection": 1, "vocabulary": 1, **SHOWN},
    ),
    "how shards are merged": (
        lambda work: edit(work / "src/saegrid/codes/merge.py", "last = -1", "last = -2"),
        {"merge": 2, **SHOWN},
    ),
    "a layer is added": (
        lambda work: edit(work / "config/tiny.yaml", "layers: [1]", "layers: [1, 2]"),
        {"capture": 5, "train_sae": 2, "encode": 6, "merge": 2, **SHOWN},
    ),
    "less shards": (
        lambda work: edit(work / "config/shards.yaml", "shards: 3", "shards: 2"),
        {"capture": 2, "encode": 4, "merge": 2, **SHOWN},
    ),
    "no shards": (
        lambda work: edit(work / "config/shards.yaml", "shards: 3", "shards: 1"),
        {"capture": 1, "encode": 2, **SHOWN},
    ),
    "no shards to learn from": (
        lambda work: edit(work / "config/shards.yaml", "shards: 2", "shards: 1"),
        {"capture": 1, "train_sae": 2, "encode": 6, "merge": 2, **SHOWN},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_causes_these_jobs(work, name):
    change, expected = CHANGES[name]
    change(work)
    assert jobs_to_run(work, study=SHARDED) == expected


@pytest.mark.parametrize(
    "name",
    [
        "the activations of a site in one shard are deleted",
        "less shards",
        "merged features are deleted",
        "a layer is added",
    ],
)
def test_snakemake_plans_the_same(work, name):
    change, expected = CHANGES[name]
    change(work)
    assert planned(work, study=SHARDED) == expected


def test_a_lost_shard_comes_back_the_same(work):
    before = results(work)
    shards_of(work, "activations/*/shard-2-of-3/L1R.safetensors")[0].unlink()
    shards_of(work, "cells/L1R-8x/features/shard-2*")[0].unlink()
    run(work, study=SHARDED)
    assert results(work) == before
    assert planned(work, study=SHARDED) == {}
    log = next((work / "logs" / HEADLINES).glob("capture-*/shard-2-of-3.log")).read_text()
    assert "2 of 2 sites are in the store" in log


def test_a_stale_shard_is_refused(work):
    """Metadata of Snakemake may get lost; what the files themselves record is read."""
    path = shards_of(work, "cells/L1A-8x/features/shard-2-of-3.safetensors")[0]
    changed = path.stat().st_mtime_ns
    write_features(path, read_features(path), "another spec")
    os.utime(path, ns=(changed, changed))
    shutil.rmtree(work / ".snakemake")
    (work / "results/tiny/summary.parquet").unlink()
    done = snakemake(work, "--cores", "2", study=SHARDED)
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert "These files were made with other settings than this run's" in told
    assert f"run again: {path.relative_to(work)}" in told


def test_other_shards_in_the_same_folder_give_the_results_of_the_whole(whole, work):
    """Three shards become none, on one core: the results are those of the whole on two cores,
    beside the parts that are left."""
    text = (work / SHARDED[-1]).read_text()
    text = text.replace("shards: 3", "shards: 1").replace("shards: 2", "shards: 1")
    (work / SHARDED[-1]).write_text(text)
    run(work, "all", "metrics", "layers", "--cores", "1", study=SHARDED)
    expected, found = results(whole), results(work)
    assert {path for path in expected if found.get(path) != expected[path]} == set()
    assert planned(work, study=SHARDED) == {}
