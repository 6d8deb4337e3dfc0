"""The items of a corpus that its filter keeps."""

from saegrid.stages.stage import CORPUS, At, Needs, Plan, Settings, Stage, Weight


def settings(plan: Plan, at: At) -> Settings:
    """The filter."""
    chosen = plan.corpora[at.corpus].settings.filter
    return {"filter": chosen.model_dump(mode="json") if chosen else None}


SELECTION = Stage(
    "selection",
    reads={"table": "items.table"},
    writes={"selection": CORPUS + "selection.parquet", "facts": CORPUS + "selection.json"},
    settings=settings,
    needs=Needs(memory=1000, minutes=5, priority=1, group="corpus"),
    weighs=lambda sizes, at: Weight(write=sizes.text(at.corpus).items),
)
