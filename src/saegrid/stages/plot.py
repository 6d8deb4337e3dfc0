"""The figures of a study, from the tables of all cells."""

from typing import Any

from saegrid.stages.places import cells, facts_of_main, of_every_cell
from saegrid.stages.stage import STUDY, At, Figure, Many, Needs, Plan, Source, Stage, Write, shown
from saegrid.stages.summary import file_of


def figures(plan: Plan) -> dict[str, str]:
    """The function that draws each figure, by name."""
    edits = plan.corpora[plan.main].has_edits
    drawn = [figure for figure in shown(plan, Figure) if edits or not figure.of_edits]
    return {figure.name: figure.draw for figure in sorted(drawn)}


def drawn_from(plan: Plan) -> list[str]:
    """The outputs that figures are drawn from beside the densities."""
    return sorted({figure.table for figure in shown(plan, Figure) if figure.table})


def tables(plan: Plan, at: At) -> list[Source]:
    """These outputs of every cell."""
    return [Source(output, place) for output in drawn_from(plan) for place in cells(plan)]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The figures, and the files of cells that they are drawn from."""
    files = {output: file_of(plan, output) for output in drawn_from(plan)}
    return {"cuts": plan.study.pages.cuts, "figures": figures(plan), "files": files}


PLOT = Stage(
    "plot",
    reads={
        **facts_of_main(),
        "summary": "summary.summary",
        "tables": of_every_cell("density.table"),
        "more": Many(tables),
    },
    writes={
        "figures": Write(
            STUDY + "figures/{figure}.svg",
            each={"figure": figures},
            report=("figures", "Figures"),
        ),
        "prints": Write(STUDY + "figures/{figure}.pdf", each={"figure": figures}),
    },
    settings=settings,
    code=lambda plan, at: sorted(figures(plan).values()),
    needs=Needs(memory=2000, minutes=10, group="study"),
)
