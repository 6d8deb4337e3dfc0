"""SAEs of a site, trained together on one stream of captured activations into the store."""

from pathlib import Path

from saegrid import io, workflow
from saegrid.saes.training.cells import train_together
from saegrid.store.learning import open_stream

with workflow.job(snakemake) as job:
    done = train_together(
        job.input.activations,
        job.input.tokens,
        job.written["members"],
        Path(job.output.members).parents[1],
        cores=job.cores,
        open_stream=open_stream,
    )
    io.write_json(job.output.members, done, job.spec)
