"""The survey as a page with its figures."""

from typing import Any

from saegrid.pages.figures import SURVEY_FIGURES
from saegrid.stages.base_rates import word_lists
from saegrid.stages.stage import STUDY, At, Needs, One, Plan, Source, Stage, Write


def base_rates(plan: Plan, at: At) -> Source | None:
    """The base rates of topics, if there are lists of words."""
    return Source("base_rates.table", at) if word_lists(plan) else None


def figures(plan: Plan) -> list[str]:
    """The names of the figures."""
    return sorted(SURVEY_FIGURES)


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page."""
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "cut": plan.study.survey.cut,
    }


SURVEY_PAGE = Stage(
    "survey_page",
    reads={
        **{name: f"survey.{name}" for name in ("layers", "dimensions", "pairs", "passes")},
        "base_rates": One(base_rates),
    },
    writes={
        "page": Write(STUDY + "survey.html", report=("survey", "Survey")),
        "figures": Write(
            STUDY + "figures/{figure}.svg",
            each={"figure": figures},
            report=("survey", "Survey"),
        ),
        "prints": Write(STUDY + "figures/{figure}.pdf", each={"figure": figures}),
    },
    settings=settings,
    code=lambda plan, at: sorted(SURVEY_FIGURES.values()),
    needs=Needs(memory=2000, minutes=10, group="study"),
)
