"""The plan of the tests, checked against the texts and written before any number."""

from saegrid.stages.evidence import asked, code, corpora, grade, section
from saegrid.stages.places import once
from saegrid.stages.stage import STUDY, At, Needs, Plan, Settings, Stage


def settings(plan: Plan, at: At) -> Settings:
    """The settings of the tests, and the corpora that they may name."""
    named = section(plan).model_dump(mode="json")
    return {
        "study": plan.study.study,
        "main": plan.main,
        "names": corpora(plan),
        "holdouts": plan.corpora.studied[1:],
        "grade": grade(plan),
        "tests": {key: value for key, value in named.items() if key != "untrained"},
    }


ANALYSIS_PLAN = Stage(
    "analysis_plan",
    reads=asked(corpora),
    writes={"plan": STUDY + "analysis_plan.json"},
    settings=settings,
    code=lambda plan, at: code(plan),
    part_of="tests",
    ends=once,
    needs=Needs(memory=2000, minutes=20, group="study"),
)
