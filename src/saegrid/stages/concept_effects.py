"""Concepts of words that tell texts apart: the contrasts of the tests, put to words."""

from typing import Any

from saegrid.base.digest import file_digest
from saegrid.stages import places, vocabulary
from saegrid.stages.evidence import asked, corpora, of_each
from saegrid.stages.stage import STUDY, At, Needs, Plan, Stage, local_file
from saegrid.text.lexicons.lexicon import lexicon_files


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The corpora, and the lexicons with the content of their files."""
    section = plan.study.concepts
    lexicons = plan.study.lexicons
    files = lexicon_files(lexicons)
    return {
        "corpora": corpora(plan),
        "lexicons": lexicons,
        **places.dumped(section, "senses", "min_types"),
        "content": [file_digest(local_file("concepts.lexicons", path)) for path in files],
    }


CONCEPT_EFFECTS = Stage(
    "concept_effects",
    reads={
        "plan": "analysis_plan.plan",
        **asked(corpora),
        "nuisances": of_each("nuisances.table", corpora),
    },
    writes={
        "things": STUDY + "concept_effects.parquet",
        "tests": STUDY + "concept_tests.parquet",
        "figures": STUDY + "concept_figures.parquet",
    },
    ends=places.once,
    part_of="tests",
    settings=settings,
    code=vocabulary.code,
    needs=Needs(memory=3000, minutes=30, group="study"),
)
