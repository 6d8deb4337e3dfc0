"""Attribution in a finished study: tables, columns, the figure and the panel."""

import json

import pyarrow.parquet as pq
import pytest
from finished import copy, finished
from pipeline import run

from saegrid.base import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
CELL = "results/tiny/headlines/cells/L1R-8x"
FEW = {"prompts": 12, "ablated": 4, "features": 6, "top": 3, "whole": 2, "steps": 2}
FILES = (*("attribution", "attribution_examples", "attribution_prompts", "ablation", "agreement"),)


def test_tables_figure_columns_and_panel(tmp_path):
    work = copy(finished("tiny"), tmp_path / "saegrid")
    run(work, "--config", f"analyses={json.dumps({'attribution': FEW})}")
    tables = {name: pq.read_table(work / CELL / f"{name}.parquet").to_pandas() for name in FILES}
    prompts = tables["attribution_prompts"]
    assert len(prompts) == 12 and prompts.item.is_unique
    assert (prompts.token.str.strip() != "").all() and (prompts.token != prompts.other).all()
    assert io.table_facts(work / CELL / "ablation.parquet")["items"]["usable"] >= 12
    parts = prompts[["features", "error", "bias", "total"]]
    residual = (parts.features + parts.error + parts.bias - parts.total).abs()
    assert (residual < 1e-4 * parts.abs().sum(axis=1)).all()
    ablation = tables["ablation"]
    assert ablation.prompt.nunique() == 4
    assert ablation.groupby("prompt").drawn.sum().max() <= 6
    agreement = tables["agreement"].set_index(["sample", "predictor", "statistic"])
    summary = pq.read_table(work / "results/tiny/summary.parquet").to_pandas().set_index("cell")
    r = agreement.value["drawn", "gradient", "pearson"]
    assert summary.attribution_r["L1R-8x"] == pytest.approx(r)
    assert (work / "results/tiny/figures/attribution.svg").is_file()
    index = (work / "results/tiny/index.html").read_text()
    assert "attribution, ablation" in index and "figures/attribution.svg" in index
    log = (work / "logs/tiny/headlines/L1R-8x/attribution.log").read_text()
    assert "attribution: 12 prompts of" in log and "tokens to run" in log
