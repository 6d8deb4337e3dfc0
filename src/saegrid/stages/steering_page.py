"""The page on which texts with and without steering stand side by side, and which choice works."""

from typing import Any

from saegrid.stages.places import cells, of_every_cell, once
from saegrid.stages.stage import STUDY, At, Needs, Plan, Stage, Weight, Write


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page, the cells in the order of their files, how many
    features of a choice are shown, and the seed of intervals."""
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "corpus": plan.main,
        "cells": [place.cell for place in cells(plan)],
        "shown": plan.study.analyses.steering.shown,
        "seed": plan.study.analyses.steering.seed,
    }


STEERING_PAGE = Stage(
    "steering_page",
    reads={
        name: of_every_cell(f"steering.{name}") for name in ("choice", "doses", "texts", "summary")
    },
    writes={
        "by_choice": STUDY + "steering_by_choice.parquet",
        "page": Write(STUDY + "steering.html", report=("steering", "Steering")),
    },
    settings=settings,
    part_of="steering",
    ends=once,
    needs=Needs(memory=2000, minutes=10, group="study"),
    weighs=lambda sizes, at: Weight(write=200_000 * len(sizes.plan.cells)),
)
