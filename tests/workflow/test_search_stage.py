"""Search in a finished study: its tables and page, and the same answers from Python."""

import json

import pyarrow.parquet as pq
import pytest
from finished import copy, finished
from pipeline import run, snakemake

import saegrid

pytestmark = pytest.mark.workflow
HOSTILE = "A <b onclick=alert(1)>dog</b>"
SEARCH = {
    "words": ["tariff"],
    "prompts": ["Senate passes tariff after Mexico deal", HOSTILE],
    "pairs": [["Senate passes tariff", "Senate passes pizza"]],
    "top": 4,
}
OPTION = ("--config", f"analyses={json.dumps({'search': SEARCH})}")


def test_answers_stand_in_tables_and_on_a_page(tmp_path, monkeypatch):
    work = copy(finished("tiny"), tmp_path / "saegrid")
    run(work, *OPTION)
    table = pq.read_table(work / "results/tiny/search.parquet").to_pandas()
    assert table.groupby("query").kind.first().tolist() == ["word", "prompt", "prompt", "pair"]
    assert (table.groupby("query").size() <= 4).all() and table.words.notna().any()
    tokens = pq.read_table(work / "results/tiny/search_tokens.parquet").to_pandas()
    assert set(tokens["query"]) == {1, 2, 3} and tokens.special.any()
    page = (work / "results/tiny/search.html").read_text()
    assert HOSTILE not in page and "&lt;b onclick=alert(1)&gt;dog" in page
    assert 'href="headlines/cells/L1R-8x/features.html#' in page
    monkeypatch.chdir(work)
    asked = saegrid.open("tiny").find(SEARCH["prompts"][0], top=4)
    rows = table[table["query"] == 1].reset_index(drop=True)
    assert asked.feature.tolist() == rows.feature.tolist()
    assert asked.score.tolist() == rows.score.tolist()
    assert "Nothing to be done" in "".join(
        (said := snakemake(work, "--cores", "2", *OPTION)).stdout + said.stderr
    )
