"""Clusters of texts by codes and by activations, and of features, with names."""

from saegrid.base.job import start
from saegrid.meaning.clusters.job import run, write

with start(snakemake) as job:
    write(run(job.settings, job.input), job.output, job.spec)
