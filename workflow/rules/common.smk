"""
The study of this run and the shape of its wildcards.
IN   config, merged and unchecked
OUT  PLAN (paths, specs, targets), wildcard patterns
"""

import os
import sys
import time
from pathlib import Path

from saegrid.config import ConfigError, resolve
from saegrid.pages.figures import FIGURES, HEALTH_FIGURES, SURVEY_FIGURES
from saegrid.stages.plan import Plan, memory
from saegrid.text.shards import SHARD_PATTERN
from saegrid.stages.plan.costs import Job
from saegrid.stages.plan.forecast import forecast
from saegrid.base.words import SITE_PATTERN
from snakemake.exceptions import WorkflowError

# Threads that wait give up their core: on a busy machine a job is otherwise slowed down many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    PLAN = Plan(resolve(config), Path(workflow.basedir) / "workflow" / "scripts")
except ValueError as mistake:
    raise WorkflowError(str(mistake)) from None

os.environ.update(PLAN.environment())
BEGAN = time.time()


wildcard_constraints:
    study=PLAN.study.study,
    corpus="|".join(PLAN.study.corpora),
    capture="[0-9a-f]{12}",
    shard=SHARD_PATTERN,
    cell=PLAN.cell_pattern(),
    site=SITE_PATTERN,
    together=PLAN.together_pattern(),


def names(wildcards):
    """The cell, the corpus, the shard and the site of a job, or the name of trainings together, as
    far as it has them."""
    known = ("cell", "corpus", "shard", "site", "together")
    return [wildcards[key] for key in known if key in wildcards.keys()]


def stage(spec):
    """Params function of a stage: its spec for the wildcards of a job."""
    return lambda wildcards: spec(*names(wildcards))


def of_job(function, *more):
    """Function of a job: what this one says for its names."""
    return lambda wildcards: function(*more, *names(wildcards))


def growing(amount):
    """Resource function: this amount, or what a function of the job says, and as much again at every
    attempt after a failure."""

    def of_attempt(wildcards, attempt):
        return attempt * (amount(wildcards) if callable(amount) else amount)

    return of_attempt


def unless_settled(activations, settled=lambda cell, *_: PLAN.is_settled(cell)):
    """Input function: a capture that runs again, for the sake of new sites, does not touch the
    cells whose files all record the present specs. Where one does not, nothing may be skipped:
    Snakemake looks for changed params only above the first job that has to run."""

    def path_of(wildcards):
        path = activations(*names(wildcards))
        return ancient(path) if path and settled(*names(wildcards)) else path

    return path_of


async def put_on_record():
    """Finished files that Snakemake has no record of, for it was killed while SLURM went on, or they
    were copied here: from now on it has. Without, it would not see that a setting has changed.
    """
    records, dag = workflow.persistence, workflow.dag
    finished = [job for job in dag.jobs if job.params and not dag.needrun(job)]
    loose = [job for job in finished if not records.has_metadata(job)]
    try:
        alike = PLAN.made_alike({job: (job.output, job.params.spec) for job in loose})
    except ValueError as mistake:
        raise WorkflowError(str(mistake)) from None
    for job in alike:
        await records.finished(job)


def to_do():
    """Rule, cell or site, corpus and shard of the jobs that this run will start; targets make
    nothing."""
    for job in workflow.dag.needrun_jobs():
        if job.output:
            cell, site, corpus = map(job.wildcards.get, ("cell", "site", "corpus"))
            yield Job(
                job.rule.name, cell or site, corpus, job.wildcards.get("shard", "")
            )


def announce():
    """Say what the run comes to before it starts: one line, or a table where it is heavy or asked
    for. Refuse a run for which the disk does not suffice."""
    jobs, asked = list(to_do()), {rule.name for rule in workflow.dag.targetrules}
    table = "estimate" in asked
    try:
        found = forecast(
            PLAN, jobs or None, workflow.resource_settings.cores or 1, table or None
        )
        told = found.text() if table or found.heavy else found.summary()
        print(told, file=sys.stderr, flush=True)
        if jobs:
            found.check()
    except ValueError as problem:
        raise WorkflowError(str(problem)) from None
