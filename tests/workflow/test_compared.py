"""Holdout and reference corpora beside the main one: one capture each, their tables, the index."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from finished import COMPARED, copy, finished, others
from pipeline import TINY, jobs_to_run, planned, results, run

import saegrid
from saegrid.base import io
from saegrid.base.recorded import recorded_spec
from saegrid.codes.sparse import read_features

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

CELLS = ("L1A-8x", "L1R-8x")
CORPORA = [("headlines", "main"), ("plain", "reference"), ("unseen", "holdout")]
NEW = {
    **{"items": 2, "selection": 2, "tokens": 2, "vocabulary": 2, "capture": 3},
    **{"encode": 6, "merge": 2, "density": 4, "top_tokens": 4, "concepts": 4},
    **{"summary_by_corpus": 1, "index": 1},
}
"""The jobs of a holdout corpus in two shards and of a reference corpus in one."""


@pytest.fixture(scope="module")
def alone():
    return finished("tiny")


@pytest.fixture(scope="module")
def done():
    return finished("compared")


@pytest.fixture(scope="module")
def numbers(done):
    table = pq.read_table(done / "results/tiny/summary_by_corpus.parquet").to_pylist()
    return {(row["cell"], row["corpus"]): row for row in table}


def cell(folder, corpus, name):
    return folder / "results/tiny" / corpus / "cells" / name


def test_corpora_more_cause_their_own_jobs(alone, tmp_path):
    work = copy(alone, tmp_path / "saegrid")
    others(work)
    assert jobs_to_run(work, study=COMPARED) == planned(work, study=COMPARED) == NEW


def test_all_that_stood_before_stands_as_it_was(alone, done):
    before, after = results(alone), results(done)
    changed = {name for name, content in before.items() if after[name] != content}
    assert changed == {"tiny/index.html"}
    assert jobs_to_run(done, study=COMPARED) == {}


def test_a_corpus_is_captured_once(done):
    for corpus, parts in (("plain", 1), ("unseen", 2)):
        folder = done / "results/tiny" / corpus / "activations"
        assert len(list(folder.iterdir())) == 1
        assert len([p for p in folder.rglob("L1R.safetensors") if "store" not in p.parts]) == parts


def test_the_rows_of_a_cell_stand_together(numbers):
    expected = [(cell, corpus) for cell in CELLS for corpus, _ in CORPORA]
    assert list(numbers) == expected
    assert {(row["corpus"], row["role"]) for row in numbers.values()} == set(CORPORA)


def test_numbers_of_the_main_corpus_are_those_of_the_summary(done, numbers):
    for row in pq.read_table(done / "results/tiny/summary.parquet").to_pylist():
        expected = {"corpus": "headlines", "role": "main", **row}
        beside = numbers[row["cell"], "headlines"]
        assert {name: beside[name] for name in expected} == expected
        assert beside.keys() - expected.keys() == {"median_share", "max_share"}


@pytest.mark.parametrize("name", CELLS)
def test_of_plain_text_every_token_counts(done, numbers, name):
    """The numbers from the sparse features and the tokens alone."""
    row = numbers[name, "plain"]
    z = read_features(cell(done, "plain", name) / "features.safetensors")
    tokens = pq.read_table(done / "results/tiny/plain/tokens.parquet").to_pandas()
    n = int((~tokens["special"]).sum())
    active = np.diff(z.indptr)
    assert row["n_tokens"] == row["n_masked"] == row["n_captured"] == n > 300
    assert row["n_active"] == (active > 0).sum() > 20
    assert row["l0"] == pytest.approx(active.sum() / n, rel=1e-12)
    assert row["max_density"] == active.max() / n
    assert row["median_density"] == pytest.approx(np.median(active[active > 0]) / n, rel=1e-12)
    assert row["max_share"] == row["max_density"] and row["median_share"] == row["median_density"]
    assert row["n_above_0.01"] == (active >= 0.01 * n).sum()


@pytest.mark.parametrize("name", CELLS)
def test_of_pairs_the_edits_count_and_no_filter_of_another_corpus(done, numbers, name):
    tokens = pq.read_table(done / "results/tiny/unseen/tokens.parquet").to_pandas()
    edited = tokens[(tokens["side"] == "edited") & ~tokens["special"]]
    row = numbers[name, "unseen"]
    assert edited["item"].nunique() == 200, "all of them: the main corpus has a filter"
    assert row["n_tokens"] == len(edited)
    assert row["n_masked"] == edited["in_edit"].sum() < row["n_tokens"]
    z = read_features(cell(done, "unseen", name) / "features.safetensors")
    masked = np.zeros(len(tokens), bool)
    masked[edited.index[edited["in_edit"]]] = True
    hits = np.repeat(np.arange(z.d_sae), np.diff(z.indptr))[masked[z.indices]]
    assert row["n_active"] == len(np.unique(hits)) > 20
    shares = np.unique(hits, return_counts=True)[1] / masked.sum()
    assert row["max_share"] == pytest.approx(shares.max(), rel=1e-12)
    assert row["median_share"] == pytest.approx(np.median(shares), rel=1e-12)
    parts = list((cell(done, "unseen", name) / "features").iterdir())
    assert len(parts) == 2


def test_tables_have_the_columns_of_the_main_corpus(done):
    for corpus in ("unseen", "plain"):
        for name in CELLS:
            folder = cell(done, corpus, name)
            for path in cell(done, "headlines", name).glob("*.parquet"):
                if path.name == "logit_effects.parquet":
                    assert not (folder / path.name).exists(), "once is enough"
                    continue
                assert pq.read_schema(folder / path.name).names == pq.read_schema(path).names
                # Of two concepts no feature need be, and of a few texts no word of a list.
                may_be_none = path.name in ("combinations.parquet", "concept_best.parquet")
                assert may_be_none or pq.read_metadata(folder / path.name).num_rows > 0
            assert not (folder / "features.html").exists()


def test_the_index_shows_each_corpus_beside_the_main_one(done, numbers):
    text = (done / "results/tiny/index.html").read_text()
    section = text.partition('<section id="corpora">')[2].partition("</section>")[0]
    rows = re.findall(r"<tr.*?</tr>", section, re.S)[1:]
    plain = [re.sub(r"<[^>]*>", " ", row).split() for row in rows]
    assert [tuple(row[:3]) for row in plain] == [
        (cell, corpus, role) for cell in CELLS for corpus, role in CORPORA
    ]
    for row in plain:
        assert f"{numbers[row[0], row[1]]['n_active']:,}" in row
        assert f"{numbers[row[0], row[1]]['l0']:.1f}" in row
    links = set(re.findall(r'href="([^"#]+/features.html)"', text))
    assert links == {f"headlines/cells/{name}/features.html" for name in CELLS}
    facts = dict(re.findall(r"<h3>(\w+)</h3>(.*?)</div>", text, re.S))
    assert list(facts) == [name for name, _ in CORPORA]
    assert "tokens that edits replaced" in facts["unseen"] and "kept with" not in facts["unseen"]
    assert not re.search("masked|replaced|edit", facts["plain"])


def test_results_open_by_corpus(done):
    study = saegrid.open("tiny", results=done / "results", corpus="plain")
    view = study.cell("L1R-8x")
    assert len(view.features) == io.table_facts(view.folder / "features.parquet")["n_active"]
    assert saegrid.open("tiny", results=done / "results").corpus_name == "headlines"


def test_a_page_of_another_corpus_is_made_where_it_is_asked_for(done, tmp_path):
    work = copy(done, tmp_path / "saegrid")
    page = "results/tiny/plain/cells/L1R-8x/features.html"
    assert jobs_to_run(work, study=COMPARED, targets=(page,)) == {"logit_effects": 1, "page": 1}
    run(work, page, study=COMPARED)
    spec = json.loads(recorded_spec(work / page))
    assert (spec["corpus"], spec["cell"]) == ("plain", "L1R-8x")
    assert jobs_to_run(work, study=COMPARED) == {}, "nobody else waits for it"


def test_an_sae_of_the_main_corpus_is_that_of_its_twin_of_role_train(alone, tmp_path):
    """The same text twice, as main and to learn from: the capture that stands serves both."""
    work = copy(alone, tmp_path / "saegrid")
    tiny = yaml.safe_load((work / TINY[-1]).read_text())
    twin = tiny["corpora"]["headlines"] | {"role": "train", "filter": None}
    saes = {n: tiny["saes"]["8x"] | {"corpus": c} for n, c in (("a", "headlines"), ("b", "twin"))}
    grid = [{"layers": [1], "positions": ["r"], "saes": ["a", "b"]}]
    study = {"corpora": {"twin": twin}, "saes": saes, "grid": grid}
    (work / "config/twin.yaml").write_text(yaml.safe_dump(study))
    study = (*TINY, "config/twin.yaml")
    expected = {"items": 1, "tokens": 1, "capture": 1, "train_sae": 2}
    assert jobs_to_run(work, study=study, targets=("saes",)) == expected
    run(work, "saes", study=study)
    one, two = (
        io.read_tensors(work / f"results/tiny/saes/L1R-{name}/sae_weights.safetensors")
        for name in "ab"
    )
    assert one.keys() == two.keys() and len(one) >= 4
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
