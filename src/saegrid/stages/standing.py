"""The files of a study that are there, by stage: what can be known without a record of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base import io
from saegrid.base.errors import ConfigError
from saegrid.base.progress.reasons import has_failed
from saegrid.config import Study, resolve
from saegrid.stages import targets
from saegrid.stages.graph import Job
from saegrid.stages.plan import Plan


class Standing(NamedTuple):
    """The jobs of the target `all`, by the files that they make."""

    stages: Mapping[str, tuple[int, int]]
    """Jobs of each stage whose files are all there, and all jobs of it."""
    begun: list[tuple[str, str]]
    """Jobs that have begun and whose files are not there, with their logs: they run, were killed,
    or failed."""


def standing(study: str) -> Standing:
    """The files of a study that was run before, by its config in the results.

    Raises:
        ConfigError: there is no config in the results, or what it names is not on this machine.
    """
    path = Path("results") / study / "config.json"
    if not path.is_file():
        raise ConfigError(f"{path} is not there: no run of study {study} was started here.")
    content: dict[str, Any] = io.read_json(path)
    try:
        plan = Plan(resolve({k: v for k, v in content.items() if k in Study.model_fields}))
        jobs = plan.graph.jobs(targets.ends(plan.graph, ["all"]))
    except (ValueError, OSError) as problem:
        raise ConfigError(f"{path}: {problem}") from problem
    stages: dict[str, tuple[int, int]] = {}
    begun = []
    for job in jobs:
        is_done = all(Path(output).is_file() for output in plan.graph.outputs(*job))
        done, total = stages.get(job.stage.name, (0, 0))
        stages[job.stage.name] = done + is_done, total + 1
        if not is_done and has_failed(log := log_of(plan, job)):
            begun.append((str(job), log))
    return Standing(stages, begun)


def log_of(plan: Plan, job: Job) -> str:
    """Path of the log of a job."""
    parts = plan.graph.parts(job.stage, job.at.corpus)
    return job.stage.log().format(study=plan.study.study, **job.at._asdict(), **parts)
