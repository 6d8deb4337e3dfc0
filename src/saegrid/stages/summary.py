"""One row a cell; cells made with other settings are refused."""

from pathlib import Path
from typing import Any

from saegrid.stages.places import tables_on
from saegrid.stages.stage import STUDY, At, Column, Many, Needs, Plan, Stage, shown


def expected(plan: Plan, corpus: str) -> dict[str, dict[str, str]]:
    """The digest of the spec that each file of a cell on a corpus must have recorded, by cell and
    name of the file."""
    digests: dict[str, dict[str, str]] = {}
    for source in tables_on(plan, corpus):
        (path,) = plan.graph.paths(source)
        cell, _, file = path.partition("/cells/")[2].partition("/")
        digests.setdefault(cell, {})[file] = plan.specs.digest(*plan.graph.maker(source))
    return digests


def counted(plan: Plan) -> dict[str, Any]:
    """The densities at which features are counted, and further columns, if there are any."""
    columns = [[c.name, c.of, file_of(plan, c.table)] for c in shown(plan, Column)]
    return {"cuts": plan.study.pages.cuts, **({"columns": columns} if columns else {})}


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The specs that the files of cells must record, and what is counted."""
    return {"expected": expected(plan, plan.main), **counted(plan)}


def code(plan: Plan, at: At) -> list[str]:
    """The functions of the columns that stages show."""
    return sorted({column.of for column in shown(plan, Column)})


def file_of(plan: Plan, output: str) -> str:
    """Name of the file of an output in the folder of a cell."""
    stage, _, name = output.partition(".")
    return Path(plan.graph.stages[stage].write(name).path).name


SUMMARY = Stage(
    "summary",
    reads={"tables": Many(lambda plan, at: tables_on(plan, plan.main), decides=False)},
    writes={"summary": STUDY + "summary.parquet"},
    settings=settings,
    code=code,
    needs=Needs(memory=2000, minutes=10, group="study"),
)
