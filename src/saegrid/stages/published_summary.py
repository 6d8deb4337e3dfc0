"""The published features of all cells, and what their source says of those that it names."""

from saegrid.stages.places import cells, of_every_cell, once
from saegrid.stages.stage import STUDY, At, Needs, Panel, Plan, Settings, Stage, Weight


def settings(plan: Plan, at: At) -> Settings:
    """The cells, and the corpus in whose folder their pages lie."""
    return {"corpus": plan.main, "cells": [place.cell for place in cells(plan)]}


PUBLISHED_SUMMARY = Stage(
    "published_summary",
    reads={"tables": of_every_cell("published.table")},
    writes={"table": STUDY + "published.parquet"},
    settings=settings,
    part_of="published",
    ends=once,
    needs=Needs(memory=2000, minutes=5, group="study"),
    weighs=lambda sizes, at: Weight(write=200_000),
    shows=(
        Panel(
            "published_named",
            "The features that the published study names",
            "What the source says of them (its concept, how many of the 20 rows it counts, the "
            "words that it lists) beside what we say of the feature that has their tokens (in "
            "brackets where the judgement does not hold), with the whole words around the tokens "
            "of their rows.",
            "saegrid.meaning.published:named",
            "published_summary.table",
        ),
        Panel(
            "published_pages",
            "The published pages",
            "How many features of each page are found again: same, at least 9 tenths of the tokens "
            "shown and as many active ones; near, at least half of the tokens; none.",
            "saegrid.meaning.published:verdicts",
            "published_summary.table",
        ),
    ),
)
