"""A study of published pages alone: its jobs need no model, no activations and no weights."""

from collections import Counter
from pathlib import Path

import pytest

from asking import config, jobs_of, mistakes, plan_of
from saegrid.stages.mistakes import all_mistakes
from saegrid.stages.stage import At, Source
from studies import displayed, tiny

pytestmark = pytest.mark.usefixtures("few_headlines")
CELL = At("headlines", "L1R-8x", site="L1R")


def test_its_jobs() -> None:
    jobs = Counter(job.stage.name for job in jobs_of(plan_of(displayed()), "all"))
    each = ("import_dashboards", "top_tokens", "concepts", "published", "page")
    once = (
        "items",
        "selection",
        "tokens",
        "vocabulary",
        "concept_map",
        "summary",
        "published_summary",
        "plot",
        "map",
        "index",
    )
    assert jobs == dict.fromkeys(each, 2) | dict.fromkeys(once, 1)


def test_its_tables_are_read_as_those_of_any_cell() -> None:
    graph = plan_of(displayed()).graph
    for output in ("encode.features", "density.table"):
        assert graph.maker(Source(output, CELL)) == ("import_dashboards", CELL)
    codes = graph.paths(Source("encode.features", CELL))
    assert codes == graph.paths(Source("import_dashboards.features", CELL))
    specs = graph.plan.specs
    assert specs.spec("encode", CELL) == specs.spec("import_dashboards", CELL)
    tables = graph.plan.graph.stages["page"]
    assert graph.sources(tables, "logits", CELL) is None
    assert graph.sources(tables, "reference", CELL) is None


def test_other_studies_have_no_such_job() -> None:
    plan = plan_of(tiny())
    assert plan.graph.maker(Source("encode.features", CELL))[0] == "encode"
    stage = plan.graph.stages["import_dashboards"]
    assert not plan.graph.makes(stage, "L1R-8x")
    assert plan.graph.makes(plan.graph.stages["density"], "L1R-8x")


def test_another_file_is_another_cell() -> None:
    first = plan_of(displayed()).specs.spec("import_dashboards", CELL)
    study = displayed()
    Path("pages.jsonl").write_text("{ }\n")
    assert plan_of(study).specs.spec("import_dashboards", CELL) != first


def test_what_needs_weights_says_so() -> None:
    told = mistakes(plan_of(displayed()), "metrics")
    assert told and all("published pages are all that is known of L1" in text for text in told)


@pytest.mark.parametrize("key", ["saes.8x.files", "analyses.published.files"])
def test_files_that_are_missing(key: str) -> None:
    study = displayed()
    section = study["saes"]["8x"] if key.startswith("saes") else study["analyses"]["published"]
    section["files"] = ["gone.jsonl", "${NOT_SET}/x"]
    told = [one.text for one in all_mistakes(study)[1]]
    assert len(told) == 2 and all(text.startswith(f"{key}: ") for text in told), told
    assert "gone.jsonl is not there" in told[0] and "NOT_SET" in told[1]


def test_no_files() -> None:
    study = config()
    study["saes"] = {"8x": {"source": "dashboards", "files": []}}
    (text,) = [one.text for one in all_mistakes(study)[1]]
    assert text.startswith("saes.8x.files")
