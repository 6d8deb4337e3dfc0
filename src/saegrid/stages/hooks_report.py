"""The report on what a model writes, as a page."""

from typing import Any

from saegrid.stages.health import histories, sae_settings
from saegrid.stages.places import of_every_cell, once
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Stage, Write


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """Names and settings that stand on the page beside the tables."""
    source = plan.corpora[plan.main].settings.source
    cells = list(map(str, plan.cells))
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "corpus": plan.main,
        "source": source.model_dump(
            mode="json", include={"samples", "new_tokens", "temperature", "stop", "seed"}
        ),
        "section": plan.settings("", "hooks"),
        "cells": cells,  # in the order of the tables: JSON sorts the keys of the next one
        "saes": {cell: sae_settings(plan, cell) for cell in cells},
    }


TABLES = {
    **{name: f"hooks.{name}" for name in ("choice", "prompts", "features", "texts", "facts")},
    **{name: f"hooks_clamps.{name}" for name in ("clamps", "clamped_texts")},
}
HOOKS_REPORT = Stage(
    "hooks_report",
    reads={
        **TABLES,
        "concepts": of_every_cell("concepts.table"),
        "histories": Many(histories, decides=False),
    },
    writes={"page": Write(STUDY + "report.html", report=("report", "Report"))},
    settings=settings,
    part_of="hooks",
    ends=once,
    needs=Needs(memory=1000, minutes=5, group="study"),
)
