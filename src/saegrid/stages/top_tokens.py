"""Examples of every feature, judged by word lists and by form."""

from saegrid.base.digest import file_digest
from saegrid.stages.places import layout
from saegrid.stages.stage import CELL, At, Needs, Plan, Settings, Stage, Weight, local_file


def settings(plan: Plan, at: At) -> Settings:
    """The layout, the content of the word lists, and whether labels number the features."""
    lists = plan.settings(at.cell, "topics")["lists"]
    content = file_digest(local_file("topics.lists", lists)) if lists else None
    by_label = {"by_label": True} if plan.saes.is_displayed(at.cell) else {}
    return {**layout(plan, at), "content": content, **by_label}


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
        "topics": CELL + "topics.parquet",
    },
    sections=("top_tokens", "topics"),
    settings=settings,
    needs=Needs(memory=2000, minutes=10, priority=3, group="cells"),
    weighs=lambda sizes, at: Weight(write=400 * sizes.shown(at)),
    everywhere=True,
)
