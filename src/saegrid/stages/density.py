"""How often each feature is active."""

from saegrid.stages.places import layout
from saegrid.stages.stage import CELL, Figure, Needs, Stage, Weight

DENSITY = Stage(
    "density",
    reads={
        "features": "encode.features",
        "tokens": "tokens.tokens",
        "selection": "selection.selection",
    },
    writes={"table": CELL + "features.parquet"},
    sections=("density",),
    settings=layout,
    needs=Needs(memory=2000, minutes=5, priority=2, group="cells"),
    weighs=lambda sizes, at: Weight(write=40 * sizes.active(at)),
    shows=(
        Figure("density_histograms", "saegrid.pages.figures.density_histograms:draw"),
        Figure("features_above_cuts", "saegrid.pages.figures.features_above_cuts:draw"),
        Figure("layer_curves", "saegrid.pages.figures.layer_curves:draw"),
    ),
)
