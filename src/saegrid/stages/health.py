"""All SAEs of a study, judged: table, page and figures; cells made otherwise are refused."""

from typing import Any

from saegrid.pages.figures import HEALTH_FIGURES
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage, Write


def metrics(plan: Plan, at: At) -> list[Source]:
    """Numbers of every cell, on the corpora they are judged on, in the order of the grid."""
    cells = map(str, plan.cells)
    return [Source("measure.metrics", At(plan.judged.corpus(cell), cell)) for cell in cells]


def baselines(plan: Plan, at: At) -> list[Source]:
    """Baselines of every site."""
    return [Source("baselines.table", At(name, site=site)) for name, site in plan.judged.sites]


def histories(plan: Plan, at: At) -> list[Source]:
    """Histories of the SAEs that are trained here."""
    cells = [str(cell) for cell in plan.cells if cell.sae in plan.saes.trained]
    return [Source("train_sae.history", At(cell=cell)) for cell in cells]


def sae_settings(plan: Plan, cell: str) -> dict[str, Any]:
    """The settings of a cell's SAE. Of a recipe's settings, those that the config names for any
    SAE, with their defaults where this SAE does not name them."""
    if not plan.saes.is_trained(cell):
        return plan.saes.checkpoint(cell)
    every = vars(plan.trainings.recipe(cell))
    named = {key: every[key] for key in plan.trainings.named_settings if key in every}
    return {**plan.settings(cell, "train"), "settings": named}


def figures(plan: Plan) -> list[str]:
    """The names of the figures."""
    return sorted(HEALTH_FIGURES)


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The cells, with the specs that their numbers must have recorded."""
    cells = [str(cell) for cell in plan.cells]
    places = {source.at.cell: source.at for source in metrics(plan, at)}
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "cells": cells,
        "expected": {cell: plan.specs.digest("measure", places[cell]) for cell in cells},
        "saes": {cell: sae_settings(plan, cell) for cell in cells},
    }


HEALTH = Stage(
    "health",
    reads={
        "metrics": Many(metrics),
        "baselines": Many(baselines),
        "histories": Many(histories, decides=False),
    },
    writes={
        "table": STUDY + "health.parquet",
        "page": Write(STUDY + "health.html", report=("health", "Health")),
        "figures": Write(
            STUDY + "figures/{figure}.svg",
            each={"figure": figures},
            report=("health", "Health"),
        ),
        "prints": Write(STUDY + "figures/{figure}.pdf", each={"figure": figures}),
    },
    settings=settings,
    code=lambda plan, at: sorted(HEALTH_FIGURES.values()),
    needs=Needs(memory=2000, minutes=10, group="study"),
)
