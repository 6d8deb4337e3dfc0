"""The jobs of a study as `planning` compares them, from its graph."""

from collections.abc import Sequence

from planning import Task

from saegrid.stages import targets
from saegrid.stages.graph import Job
from saegrid.stages.plan import Plan
from saegrid.stages.settled import ancient_inputs


def tasks_of(plan: Plan, asked: Sequence[str] = ()) -> list[Task]:
    """All jobs that these targets need; those of `all` by default."""
    jobs = plan.graph.jobs(targets.ends(plan.graph, asked or ["all"]))
    return [_task(plan, job) for job in jobs]


def _task(plan: Plan, job: Job) -> Task:
    files = {name: plan.graph.inputs(job.stage, name, job.at) for name in job.stage.reads}
    files = {name: [path] if isinstance(path, str) else path for name, path in files.items()}
    ancient = ancient_inputs(plan.graph, *job)
    return Task(
        job.stage.name,
        plan.specs.spec(job.stage.name, job.at),
        plan.graph.outputs(*job),
        [path for paths in files.values() for path in paths],
        {path for name in ancient for path in files[name]},
    )


def targets_of(plan: Plan, asked: Sequence[str] = ()) -> list[str]:
    """The files that these targets ask for."""
    return [path for name in asked or ["all"] for path in targets.files(plan.graph, name)]
