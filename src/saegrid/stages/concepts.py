"""Judgement of each feature: a concept, coherent words, one word or piece, or a form."""

from saegrid.stages.places import dumped
from saegrid.stages.stage import CELL, At, Needs, Plan, Settings, Stage, Weight

RULE = ("alpha", "share", "types", "wide", "wide_share", "combined")
"""Settings that make the rule."""


def settings(plan: Plan, at: At) -> Settings:
    """The rule, and how chance is counted."""
    section = plan.study.concepts
    return {
        "rule": dumped(section, *RULE),
        **dumped(section, "least", "permutations", "seed"),
    }


CONCEPTS = Stage(
    "concepts",
    reads={
        "features": "encode.features",
        "tokens": "tokens.tokens",
        "occurrences": "vocabulary.occurrences",
        "types": "vocabulary.types",
        "tensors": "vocabulary.tensors",
        "facts": "vocabulary.facts",
    },
    writes={
        "table": CELL + "concepts.parquet",
        "combinations": CELL + "combinations.parquet",
        "best": CELL + "concept_best.parquet",
        "chance": CELL + "concept_chance.parquet",
    },
    settings=settings,
    needs=Needs(memory=2000, minutes=10, priority=4, group="pages"),
    weighs=lambda sizes, at: Weight(write=100 * sizes.shown(at) + 10_000),
    everywhere=True,
)
