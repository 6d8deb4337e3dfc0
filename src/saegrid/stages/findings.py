"""The page that says in plain words what was found, confirmed and not found."""

from saegrid.stages.places import once
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage, Write


def classified(plan: Plan, at: At) -> list[Source]:
    """The files of classifiers, where the study names them."""
    named = {stage.name for stage in plan.graph.analyses}
    return (
        [Source("probes_summary.facts", At()), Source("probes_summary.table", At())]
        if "probes" in named and "probes_summary" in plan.graph.stages
        else []
    )


def filled(plan: Plan, at: At) -> list[Source]:
    """The files of what is filled in while features are turned up, where the study names it."""
    named = {stage.name for stage in plan.graph.analyses}
    outputs = ("facts", "table", "texts") if "filling" in named else ()
    return [Source(f"filling.{output}", At()) for output in outputs]


ABOUT = (
    *(f"concept_effects.{name}" for name in ("things", "tests", "figures")),
    *(f"themes.{name}" for name in ("themes", "features_of", "tests", "figures")),
)
"""The tables of concepts and themes, in the order of `pages.browser.about.About`."""


FINDINGS = Stage(
    "findings",
    reads={
        "facts": "tests.facts",
        "summary": "tests.summary",
        "discoveries": "tests.discoveries",
        "examples": "tests.examples",
        "probes": Many(classified),
        "filling": Many(filled),
        "about": Many(lambda plan, at: [Source(output, At()) for output in ABOUT]),
    },
    writes={"page": Write(STUDY + "findings.html", report=("findings", "Findings"))},
    settings=lambda plan, at: {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
    },
    part_of="tests",
    ends=once,
    needs=Needs(memory=2000, minutes=10, group="study"),
)
