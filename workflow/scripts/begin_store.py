"""The stand-in for a store that is filled beside the trainings that learn from it."""

from saegrid.base.job import start
from saegrid.store.learning import begin

with start(snakemake) as job:
    begin(job.output, job.spec)
