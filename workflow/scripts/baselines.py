"""Other descriptions of a site's activations, beside its SAEs on the same tokens."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.metrics.baselines.table import baselines_of
from saegrid.metrics.sources import files

with start(snakemake) as job:
    source = files(job.input.activations, job.input.tokens)
    table = baselines_of(source, job.settings, job.input.metrics)
    io.write_table(job.output.table, table, job.spec)
