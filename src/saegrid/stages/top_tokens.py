"""Examples of every feature: its top tokens, a sample of the others, and near misses."""

from saegrid.stages.places import layout
from saegrid.stages.stage import CELL, At, Needs, Plan, Settings, Stage, Weight


def settings(plan: Plan, at: At) -> Settings:
    """The layout, and whether labels number the features."""
    by_label = {"by_label": True} if plan.saes.is_displayed(at.cell) else {}
    return {**layout(plan, at), **by_label}


TOP_TOKENS = Stage(
    "top_tokens",
    reads={
        "features": "encode.features",
        "table": "density.table",
        "tokens": "tokens.tokens",
        "selection": "selection.selection",
    },
    writes={
        "top": CELL + "top_tokens.parquet",
        "examples": CELL + "examples.parquet",
        "near": CELL + "near_misses.parquet",
    },
    sections=("top_tokens",),
    settings=settings,
    needs=Needs(memory=2000, minutes=10, priority=4, group="cells"),
    weighs=lambda sizes, at: Weight(write=500 * sizes.shown(at)),
    everywhere=True,
)
