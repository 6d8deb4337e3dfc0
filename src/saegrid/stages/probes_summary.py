"""The classifiers of all sites side by side, and whether SAEs add to the best of the others."""

from typing import Any

from saegrid.stages.places import once
from saegrid.stages.probes import code, names, section, sites
from saegrid.stages.stage import CORPUS, STUDY, At, Many, Needs, Plan, Source, Stage, Write


def of_all(output: str) -> Many:
    """An output of the texts' job, then of the jobs of all sites."""
    return Many(
        lambda plan, at: [
            Source(f"probes_texts.{output}", At(plan.main)),
            *(Source(f"probes.{output}", place) for place in sites(plan)),
        ]
    )


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The probes, and what is said of how they were made."""
    chosen = section(plan).model_dump(mode="json", exclude={"probes"})
    seed = plan.study.analyses.tests.seed if plan.study.analyses.tests else 0
    return {"names": names(plan), "probes": {**chosen, "seed": seed}}


PROBES_SUMMARY = Stage(
    "probes_summary",
    reads={
        "facts": Many(lambda plan, at: [Source("probes_texts.facts", At(plan.main))]),
        "summary": of_all("summary"),
        "folds": of_all("folds"),
        "tensors": of_all("tensors"),
    },
    writes={
        "facts": STUDY + "probes.json",
        "table": STUDY + "probes_summary.parquet",
        "folds": Write(
            CORPUS + "probes/{probe}.parquet",
            each={"corpus": lambda plan: [plan.main], "probe": names},
        ),
    },
    settings=settings,
    code=code,
    part_of="probes",
    ends=once,
    needs=Needs(memory=2000, minutes=20, group="study"),
)
