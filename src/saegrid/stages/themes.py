"""Themes: confirmed features that see the same texts, each put to its contrast as one finding."""

from typing import Any

from saegrid.stages import places
from saegrid.stages.evidence import asked, codes, corpora, of_each
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Stage


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The corpora and cells."""
    return {"corpora": corpora(plan), "cells": [str(cell) for cell in plan.cells]}


THEMES = Stage(
    "themes",
    reads={
        "plan": "analysis_plan.plan",
        "discoveries": "tests.discoveries",
        "features": Many(codes, counted=False),
        **asked(corpora),
        "nuisances": of_each("nuisances.table", corpora),
        "concepts": places.of_every_cell("concepts.table"),
    },
    writes={
        "themes": STUDY + "themes.parquet",
        "features_of": STUDY + "theme_features.parquet",
        "tests": STUDY + "theme_tests.parquet",
        "figures": STUDY + "theme_figures.parquet",
    },
    ends=places.once,
    part_of="tests",
    settings=settings,
    needs=Needs(memory=4000, minutes=60, group="study"),
)
