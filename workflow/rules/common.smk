"""
The study of this run and the shape of its wildcards.
IN   config, merged and unchecked
OUT  PLAN (paths, specs, targets), wildcard patterns
"""

from pathlib import Path

from saegrid.config import ConfigError, resolve
from saegrid.figures import FIGURES
from saegrid.plan import Plan
from saegrid.plan.files import CELL_TABLES
from snakemake.exceptions import WorkflowError

try:
    PLAN = Plan(resolve(config), Path(workflow.basedir) / "workflow" / "scripts")
except ValueError as mistake:
    raise WorkflowError(str(mistake)) from None


wildcard_constraints:
    study=PLAN.study.study,
    corpus="|".join(PLAN.study.corpora),
    capture="[0-9a-f]{12}",
    cell=PLAN.cell_pattern(),


def stage(spec):
    """Params function of a stage: its spec for the wildcards of a job."""

    def of_job(wildcards):
        names = [
            wildcards[key] for key in ("cell", "corpus") if key in wildcards.keys()
        ]
        return spec(*names)

    return of_job
