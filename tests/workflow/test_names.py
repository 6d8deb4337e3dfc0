"""Names in a finished study: tables, pages, labels, and a server that goes away."""

import json

import pyarrow.parquet as pq
import pytest
from finished import copy, finished
from pipeline import run, snakemake

from naming import prompts, said, serve

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CELL = "results/tiny/headlines/cells/L1R-8x"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def work(tmp_path):
    return copy(finished("tiny"), tmp_path / "saegrid")


def option(**settings):
    return ("--config", f"analyses={json.dumps({'names': {'min_texts': 5, **settings}})}")


def table(work, name):
    return pq.read_table(work / CELL / f"{name}.parquet").to_pandas()


def export(work, name, labels, **changes):
    body = {"study": "tiny", "corpus": "headlines", "cell": "L1R-8x", "labels": labels} | changes
    (work / name).write_text(json.dumps(body))
    return name


def test_names_and_labels_stand_in_tables_and_on_pages(work):
    one = export(work, "a.json", {"3": "Food", "7": HOSTILE, "8": "x"})
    other = export(work, "b.json", {"3": "food!", "7": "none", "9": "x"})
    said_ = run(work, *option(features=12, n_scored=6, labels=[one, other]))
    assert "L1R-8x: names: 0 calls to lexical at most" in said_
    names = table(work, "names")
    assert len(names) == 12 and names.detection.notna().any()
    known = names.detection.dropna()
    assert ((known >= 0) & (known <= 1)).all() and names.why_detection[names.detection.isna()].all()
    contexts = table(work, "names_contexts")
    halves = contexts.groupby("use").item.agg(set)
    assert not halves["shown"] & (halves["detection"] | halves["fuzzing"])
    assert table(work, "labels").label.tolist() == ["Food", "food!", HOSTILE, "none", "x", "x"]
    (row,) = table(work, "labels_agreement").to_dict("records")
    assert (row["n"], row["agree"], row["kappa"]) == (2, 0.5, pytest.approx(1 / 3))
    summary = pq.read_table(work / "results/tiny/summary.parquet").to_pandas().set_index("cell")
    assert summary.label_kappa["L1R-8x"] == pytest.approx(1 / 3)
    assert summary.detection["L1R-8x"] == pytest.approx(known.median())
    page = (work / CELL / "features.html").read_text()
    assert HOSTILE not in page, "texts stand in compressed chunks, and become textContent"
    assert snakemake(work, "--dry-run", *option(features=12, n_scored=6, labels=[one, other]))


def answered(number, prompt):
    if prompt.startswith(prompts.NAMING):
        return 200, said('{"name": "a thing"}'), {}
    n = int(prompt.rpartition("a JSON list of ")[2].split()[0])
    return 200, said(json.dumps([i % 2 for i in range(n)])), {}


def test_a_server_that_goes_away_costs_what_it_did_not_answer(work):
    def fails(number, prompt):
        return answered(number, prompt) if number < 9 else (400, "no", {})

    with serve(fails) as served:
        where = {"base_url": served.url, "model": "m", "retries": 0, "at_once": 1}
        settings = option(namer="openai", features=6, n_scored=6, **where)
        said_ = run(work, *settings)
        assert "names: 2 cells may take 84 calls to m (openai) at most" in said_
        assert "answers are missing: the server answers 400: no" in said_
        assert "`--forcerun names` asks for the rest" in said_
        kept = len(list((work / "results/tiny/answers").rglob("*.json")))
        assert kept == 9
        n = len(served.asked)
        served.answer = answered
        run(work, "--forcerun", "names", *settings)
        assert not {*served.asked[n:]} & {*served.asked[:9]}
    assert table(work, "names").why.isna().all()
    total = len(list((work / "results/tiny/answers").rglob("*.json")))
    assert total == len({*served.asked})


def test_a_label_of_no_feature_is_one_sentence(work):
    one = export(work, "a.json", {"99999": "x"})
    failed = snakemake(work, "--cores", "2", *option(labels=[one]))
    assert failed.returncode
    output = failed.stdout + failed.stderr
    assert "a.json has a label of feature 99,999; L1R-8x has 0 to" in output
    assert "Traceback" not in output
