"""One row a cell; cells made with other settings are refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saegrid.stages.places import cells
from saegrid.stages.stage import STUDY, At, Column, Many, Needs, Plan, Source, Stage


def tables(plan: Plan, at: At) -> Iterator[Source]:
    """Every table of every cell on the main corpus, and the features of shards."""
    graph, shards = plan.graph, plan.corpora[plan.main].shards
    for stage in graph.present():
        if not stage.is_of_cells or stage.name == "merge":
            continue
        parts = ["", *filter(None, shards)] if "shard" in stage.wildcards else [""]
        for place in cells(plan):
            for name in stage.writes:
                for shard in parts:
                    yield Source(f"{stage.name}.{name}", place._replace(shard=shard))


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The digest of the spec that each file of a cell must have recorded."""
    graph = plan.graph
    expected: dict[str, dict[str, str]] = {}
    for source in tables(plan, at):
        (path,) = graph.paths(source)
        cell, _, file = path.partition("/cells/")[2].partition("/")
        expected.setdefault(cell, {})[file] = graph.plan.specs.digest(*graph.maker(source))
    columns = [[c.name, c.of, file_of(plan, c.table)] for c in graph.shown(Column)]
    shown = {"columns": columns} if columns else {}
    return {"expected": expected, "cuts": plan.study.pages.cuts, **shown}


def file_of(plan: Plan, output: str) -> str:
    """Name of the file of an output in the folder of a cell."""
    stage, _, name = output.partition(".")
    return Path(plan.graph.stages[stage].write(name).path).name


SUMMARY = Stage(
    "summary",
    reads={"tables": Many(tables, decides=False)},
    writes={"summary": STUDY + "summary.parquet"},
    settings=settings,
    code=lambda plan, at: sorted({column.of for column in plan.graph.shown(Column)}),
    needs=Needs(memory=2000, minutes=10, group="study"),
)
