"""Steering in a finished study: tables, columns and the page."""

import json

import pyarrow.parquet as pq
import pytest
from finished import copy, finished
from pipeline import run

from saegrid.base import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CELL = "results/tiny/headlines/cells/L1R-8x"
FEW = {
    "features": 2, "doses": [1.0, -1.0], "choose_prompts": 3, "dose_prompts": 2, "prompts": 2,
    "texts": 3, "length": 4, "text_length": 8, "new": 5, "seeds": 2, "common": 1.0,
}  # fmt: skip


def test_tables_columns_and_page(tmp_path):
    work = copy(finished("tiny"), tmp_path / "saegrid")
    run(work, "--config", f"analyses={json.dumps({'steering': FEW})}")
    doses = pq.read_table(work / CELL / "steering.parquet").to_pandas()
    assert set(doses.part) == {"dose", "report"} and {"feature", "control"} <= set(doses.arm)
    assert (doses.n_texts == 4).all()
    assert "whole content words" in io.table_facts(work / CELL / "steering.parquet")["counts"]
    chosen = pq.read_table(work / CELL / "steering_choice.parquet").to_pandas()
    assert chosen.groups.map(len).sum() >= 4
    summary = pq.read_table(work / "results/tiny/summary.parquet").to_pandas().set_index("cell")
    own = pq.read_table(work / CELL / "steering_summary.parquet").to_pandas()
    own = own[(own.choice == "own") & (own.arm == "feature")].iloc[0]
    assert summary.steering_gain["L1R-8x"] == pytest.approx(own.gain)
    page = (work / "results/tiny/steering.html").read_text()
    assert "the feature clamped" in page and 'id="L1A-8x"' in page
    pooled = pq.read_table(work / "results/tiny/steering_by_choice.parquet").to_pandas()
    own = pooled[(pooled.choice == "own") & (pooled.arm == "feature") & pooled.less_choice.isna()]
    assert own.n_cells.item() == 2 and own.low.item() <= own.gain.item() <= own.high.item()
    assert '<a href="steering.html">Steering</a>' in (work / "results/tiny/index.html").read_text()
