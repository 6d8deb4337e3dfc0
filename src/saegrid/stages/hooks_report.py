"""The report on what a model writes, as a page."""

from typing import Any

from saegrid.stages.clusters import TABLES as CLUSTERED
from saegrid.stages.clusters import sites
from saegrid.stages.health import histories, sae_settings
from saegrid.stages.places import of_every_cell, once
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage, Write


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
        "sites": [place.site for place in sites(plan)],
        "cells": cells,  # in the order of the tables: JSON sorts the keys of the next one
        "saes": {cell: sae_settings(plan, cell) for cell in cells},
    }


def clustered(plan: Plan, at: At) -> list[Source]:
    """The clusters of each site, tables of one after the other, where the study names them."""
    if plan.study.analyses.clusters is None:
        return []
    return [Source(f"clusters.{table}", place) for place in sites(plan) for table in CLUSTERED]


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
        "clusters": Many(clustered),
    },
    writes={"page": Write(STUDY + "report.html", report=("report", "Report"))},
    settings=settings,
    part_of="hooks",
    ends=once,
    needs=Needs(memory=1000, minutes=5, group="study"),
)
