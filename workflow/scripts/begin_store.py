"""What stands for a store that is filled beside the trainings that learn from it."""

from saegrid import workflow
from saegrid.store.learning import begin

with workflow.job(snakemake) as job:
    begin(job.output, job.spec)
