"""One row a cell and corpus: the numbers of the summary on each holdout and reference corpus beside
those on the main one."""

from collections.abc import Iterator
from typing import Any

from saegrid.stages.places import tables_on
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage
from saegrid.stages.summary import code, counted, expected


def beside(plan: Plan) -> list[str]:
    """The corpora beside the main one."""
    return plan.corpora.studied[1:]


def tables(plan: Plan, at: At) -> Iterator[Source]:
    """The tables of cells on these corpora; those on the main one stand in the summary."""
    for corpus in beside(plan):
        yield from tables_on(plan, corpus)


def corpora(plan: Plan) -> list[list[str]]:
    """Name and role of every corpus on which features are described, the main one first."""
    return [[name, plan.study.corpora[name].role] for name in plan.corpora.studied]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The corpora, the specs that files of cells must record on each, and what is counted."""
    digests = {corpus: expected(plan, corpus) for corpus in beside(plan)}
    return {"corpora": corpora(plan), "expected": digests, **counted(plan)}


SUMMARY_BY_CORPUS = Stage(
    "summary_by_corpus",
    reads={"summary": "summary.summary", "tables": Many(tables, decides=False)},
    writes={"table": STUDY + "summary_by_corpus.parquet"},
    settings=settings,
    code=code,
    needs=Needs(memory=2000, minutes=10, group="study"),
)
