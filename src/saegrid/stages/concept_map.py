"""Concepts by cell, the best feature of each with chance counted over all cells, and kinds of
features by cell."""

from typing import Any

from saegrid.stages.evidence import frozen
from saegrid.stages.places import of_every_cell
from saegrid.stages.stage import STUDY, At, Needs, Plan, Stage, Weight


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The cells and what is frozen in them, and the level."""
    return {
        "cells": [[str(cell), frozen(plan, str(cell))] for cell in plan.cells],
        "alpha": plan.study.concepts.alpha,
    }


CONCEPT_MAP = Stage(
    "concept_map",
    reads={
        "concepts": of_every_cell("concepts.table"),
        "best": of_every_cell("concepts.best"),
        "chance": of_every_cell("concepts.chance"),
    },
    writes={
        "map": STUDY + "concept_map.parquet",
        "by_cell": STUDY + "kinds_by_cell.parquet",
        "facts": STUDY + "concept_map.json",
    },
    settings=settings,
    needs=Needs(memory=2000, minutes=10, group="study"),
    weighs=lambda sizes, at: Weight(write=200_000 + 10_000 * len(sizes.plan.cells)),
)
