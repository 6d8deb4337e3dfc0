"""The share of tokens on which each feature is active."""

from typing import Any

from saegrid.features.statistics import STATISTICS
from saegrid.stages.places import layout, weighed
from saegrid.stages.stage import CELL, At, Figure, Needs, Plan, Stage, Weight


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The layout of the texts, and the statistics in the order of their columns."""
    return {**layout(plan, at), "statistics": list(STATISTICS)}


DENSITY = Stage(
    "density",
    reads={
        "features": "encode.features",
        "tokens": "tokens.tokens",
        "selection": "selection.selection",
    },
    writes={"table": CELL + "features.parquet"},
    sections=("density",),
    settings=settings,
    code=lambda plan, at: sorted(STATISTICS.values()),
    needs=Needs(memory=2000, minutes=5, priority=3, group="cells"),
    weighs=lambda sizes, at: Weight(write=40 * sizes.active(at)),
    only={"cell": weighed},
    displayed="import_dashboards",
    everywhere=True,
    shows=(
        Figure("density_histograms", "saegrid.pages.figures.density_histograms:draw"),
        Figure("features_above_cuts", "saegrid.pages.figures.features_above_cuts:draw"),
        Figure("layer_curves", "saegrid.pages.figures.layer_curves:draw"),
    ),
)
