"""SAEs of a site, trained together on one stream of captured activations into the store."""

from pathlib import Path

from saegrid import io, workflow
from saegrid.saes.training.cells import train_together
from saegrid.store.learning import files

with workflow.job(snakemake) as job:
    stream = files(job.input.activations, job.input.tokens)
    saes = Path(job.output.members).parents[1]
    done = train_together(stream, job.written["members"], saes, cores=job.cores)
    io.write_json(job.output.members, done, job.spec)
