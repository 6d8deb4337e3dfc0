"""The contrasts of a study on the features of a cell, on the texts that are searched."""

from saegrid.evidence import CONFIRMATION, USUAL
from saegrid.stages.evidence import asked, code, corpora, grade, of_each, searched, section
from saegrid.stages.stage import CELL, At, Many, Needs, One, Plan, Settings, Source, Stage, Weight

LATER = {"confirmation", "test", "beyond", "alpha", "q", "primary", "bootstrap", "untrained"}
"""Settings of the tests that decide nothing about the search."""


def features(plan: Plan, at: At) -> list[Source]:
    """The codes of the cell on each corpus that is searched."""
    return [Source("encode.features", at._replace(corpus=name)) for name in searched(plan)]


def settings(plan: Plan, at: At) -> Settings:
    """The corpora, and what the search takes of the plan: a change of the rest runs no search."""
    named = section(plan)
    return {
        "corpora": searched(plan),
        "tests": named.model_dump(mode="json", exclude=LATER),
        "grade": grade(plan),
        # Which texts are searched depends on whether others are there to confirm.
        "is_cut": named.confirmation is None and USUAL[CONFIRMATION] not in corpora(plan),
    }


CONTRASTS = Stage(
    "contrasts",
    reads={
        "plan": One(
            lambda plan, at: Source("analysis_plan.plan", At()), ancient=True, decides=False
        ),
        "features": Many(features),
        **asked(searched),
        "nuisances": of_each("nuisances.table", searched),
    },
    writes={"table": CELL + "contrasts.parquet", "maxima": CELL + "maxima.safetensors"},
    settings=settings,
    code=lambda plan, at: code(plan),
    part_of="tests",
    needs=Needs(memory=3000, minutes=60, group="cells"),
    weighs=lambda sizes, at: Weight(write=1_000_000),
)
