"""Other descriptions of a site's activations, beside its SAEs on the same tokens."""

from saegrid import io, workflow
from saegrid.metrics.baselines.table import baselines_of

with workflow.job(snakemake) as job:
    tokens = io.read_table(job.input.tokens, ["row"])
    table = baselines_of(job.input.activations, tokens, job.settings, job.input.metrics)
    io.write_table(job.output.table, table, job.spec)
