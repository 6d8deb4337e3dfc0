"""The contrasts of a study on the features of a cell, on the texts that are searched."""

from saegrid.stages.evidence import asked, code, corpora, nuisances
from saegrid.stages.stage import CELL, At, Many, Needs, Plan, Source, Stage, Weight


def features(plan: Plan, at: At) -> list[Source]:
    """The codes of the cell on each corpus of the tests."""
    return [Source("encode.features", at._replace(corpus=name)) for name in corpora(plan)]


CONTRASTS = Stage(
    "contrasts",
    reads={
        "plan": "analysis_plan.plan",
        "features": Many(features),
        **asked(),
        "nuisances": Many(nuisances),
    },
    writes={"table": CELL + "contrasts.parquet", "maxima": CELL + "maxima.safetensors"},
    settings=lambda plan, at: {"corpora": corpora(plan)},
    code=lambda plan, at: code(plan),
    part_of="tests",
    needs=Needs(memory=3000, minutes=60, group="cells"),
    weighs=lambda sizes, at: Weight(write=1_000_000),
)
