"""The grid of a study as a page, with links to all cells."""

from typing import Any

from saegrid.stages.findings import classified
from saegrid.stages.places import of_every_corpus
from saegrid.stages.plot import figures
from saegrid.stages.stage import (
    STUDY,
    At,
    Column,
    Many,
    Needs,
    Panel,
    Plan,
    Source,
    Stage,
    Write,
    shown,
)
from saegrid.stages.summary_by_corpus import beside, corpora

OPENED = ("findings", "map")
"""Stages whose pages the index opens by itself."""


def panels(plan: Plan) -> list[Panel]:
    """The panels of the study that stages show."""
    return [p for p in shown(plan, Panel) if not plan.graph.stages[p.stage].is_of_cells]


def compared(plan: Plan, at: At) -> list[Source]:
    """The numbers of all corpora, where there are several."""
    return [Source("summary_by_corpus.table", At())] if beside(plan) else []


def answered(plan: Plan, at: At) -> list[Source]:
    """The tests, and what classifiers say, where the study names them."""
    if "tests" not in {stage.name for stage in plan.graph.analyses}:
        return []
    return [Source("tests.facts", At()), *classified(plan, at)]


def pages(plan: Plan) -> list[list[str]]:
    """Name and file of the pages of the analyses of the study; those of findings and the map are
    opened from what they found."""
    named = {stage.name for stage in plan.graph.analyses}
    made_by = [s for s in plan.graph.present if named & {s.name, s.part_of}]
    outputs = [one for s in made_by if s.name not in OPENED for one in s.writes.values()]
    files = [one for one in outputs if isinstance(one, Write) and one.report]
    return [
        [one.report[1], one.path.removeprefix(STUDY)]
        for one in files
        if one.path.startswith(STUDY) and one.path.endswith(".html")
    ]


def licences(plan: Plan) -> dict[str, Any]:
    """The licences of the results and of the texts of corpora, as far as the config has them."""
    of_texts = {name: one.licence for name, one in plan.study.corpora.items() if one.licence}
    return {
        **({"licence": plan.study.licence} if plan.study.licence else {}),
        **({"licences": of_texts} if of_texts else {}),
    }


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page, corpora, columns, figures, panels, pages beside it and
    licences."""
    columns = [[c.name, c.heading, c.form, c.words] for c in shown(plan, Column)]
    known = [panel._asdict() for panel in panels(plan)]
    beside_it = pages(plan)
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "corpora": corpora(plan),
        "cuts": plan.study.pages.cuts,
        "figures": figures(plan),
        **({"columns": columns} if columns else {}),
        **({"panels": known} if known else {}),
        **({"pages": beside_it} if beside_it else {}),
        **licences(plan),
    }


INDEX = Stage(
    "index",
    reads={
        "facts": of_every_corpus("items.facts"),
        "filters": of_every_corpus("selection.facts"),
        "tokens": of_every_corpus("tokens.facts"),
        "spans": of_every_corpus("tokens.spans"),
        "selections": of_every_corpus("selection.selection"),
        "summary": "summary.summary",
        "compared": Many(compared),
        "answers": Many(answered),
        "figures": Many(lambda plan, at: [Source("plot.figures", at)]),
        "panels": Many(lambda plan, at: [Source(panel.table, at) for panel in panels(plan)]),
    },
    writes={"page": Write(STUDY + "index.html", report=("index", "Grid"))},
    settings=settings,
    code=lambda plan, at: sorted({panel.of for panel in panels(plan)}),
    needs=Needs(memory=1000, minutes=5, group="study"),
)
