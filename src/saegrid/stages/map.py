"""The page of the map: concepts over layers, positions and sizes, and search over all features."""

from typing import Any

from saegrid.stages.places import of_every_cell
from saegrid.stages.stage import STUDY, At, Needs, Plan, Stage, Weight, Write


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page, and the cells in the order of their files."""
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "corpus": plan.main,
        "cells": [str(cell) for cell in plan.cells],
    }


MAP = Stage(
    "map",
    reads={
        "map": "concept_map.map",
        "by_cell": "concept_map.by_cell",
        "facts": "concept_map.facts",
        "concepts": of_every_cell("concepts.table"),
    },
    writes={"page": Write(STUDY + "map.html", report=("map", "Map"))},
    settings=settings,
    needs=Needs(memory=4000, minutes=10, group="study"),
    weighs=lambda sizes, at: Weight(write=2_000_000 + 200_000 * len(sizes.plan.cells)),
)
