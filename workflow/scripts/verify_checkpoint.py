"""Known numbers of the checkpoints, measured; stops where one does not come out."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.metrics.verify.run import verify

with start(snakemake) as job:
    work, inputs = Path(job.output.facts).parent, job.input
    facts = verify(job.settings, work, inputs.saes, inputs.tokens, job.resources.mem_mb)
    io.write_json(job.output.facts, facts, job.spec)
