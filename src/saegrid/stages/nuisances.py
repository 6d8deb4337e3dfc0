"""Words of the texts of a corpus, with their frequency, form, place and surprisal."""

from saegrid.stages.evidence import section
from saegrid.stages.places import on_main
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Settings, Stage
from saegrid.text.frequency import source_name


def settings(plan: Plan, at: At) -> Settings:
    """The source of frequencies, and which of its versions."""
    source = section(plan).frequency
    return {"frequency": source, "source": source_name(source)}


NUISANCES = Stage(
    "nuisances",
    reads={
        "texts": "items.table",
        "spans": "tokens.spans",
        "surprisal": "surprisal.table",
        "counted": on_main("items.table"),
    },
    writes={"table": CORPUS + "nuisances.parquet"},
    settings=settings,
    part_of="tests",
    needs=Needs(memory=2000, minutes=20, group="study"),
)
