"""
The study of this run and the shape of its wildcards.
IN   config, merged and unchecked
OUT  PLAN (paths, specs, targets), wildcard patterns
"""

import os
from pathlib import Path

from saegrid.config import ConfigError, resolve
from saegrid.figures import FIGURES
from saegrid.plan import Plan
from saegrid.plan.files import CELL_TABLES
from snakemake.exceptions import WorkflowError

# Threads that wait give up their core: on a busy machine a job is otherwise slowed down many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    PLAN = Plan(resolve(config), Path(workflow.basedir) / "workflow" / "scripts")
except ValueError as mistake:
    raise WorkflowError(str(mistake)) from None

os.environ.update(PLAN.environment())


wildcard_constraints:
    study=PLAN.study.study,
    corpus="|".join(PLAN.study.corpora),
    capture="[0-9a-f]{12}",
    cell=PLAN.cell_pattern(),


def names(wildcards):
    """The cell and the corpus of a job, as far as it has them."""
    return [wildcards[key] for key in ("cell", "corpus") if key in wildcards.keys()]


def stage(spec):
    """Params function of a stage: its spec for the wildcards of a job."""
    return lambda wildcards: spec(*names(wildcards))


def unless_settled(activations):
    """Input function: a capture that runs again, for the sake of new sites, does not touch the
    cells whose files all record the present specs. Where one does not, nothing may be skipped:
    Snakemake looks for changed params only above the first job that has to run."""

    def of_job(wildcards):
        path = activations(*names(wildcards))
        return ancient(path) if path and PLAN.is_settled(wildcards.cell) else path

    return of_job
