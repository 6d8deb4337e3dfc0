"""The page of the map: concepts over layers, positions and sizes, and search over all features."""

from typing import Any

from saegrid.stages.page import labels
from saegrid.stages.places import cells, of_every_cell
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage, Weight, Write


def names(plan: Plan, at: At) -> list[Source]:
    """The names of features, where the study has them made."""
    return [Source("names.names", place) for place in cells(plan) if plan.study.analyses.names]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page, the cells in the order of their files, and the labels that
    people gave their features."""
    labelled = {str(cell): labels(plan, plan.main, str(cell)) for cell in plan.cells}
    known = {cell: state for cell, state in labelled.items() if state}
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "corpus": plan.main,
        "cells": [str(cell) for cell in plan.cells],
        **({"labels": known} if known else {}),
    }


MAP = Stage(
    "map",
    reads={
        "map": "concept_map.map",
        "by_cell": "concept_map.by_cell",
        "facts": "concept_map.facts",
        "concepts": of_every_cell("concepts.table"),
        "names": Many(names),
    },
    writes={"page": Write(STUDY + "map.html", report=("map", "Map"))},
    settings=settings,
    needs=Needs(memory=4000, minutes=10, group="study"),
    weighs=lambda sizes, at: Weight(write=2_000_000 + 200_000 * len(sizes.plan.cells)),
)
