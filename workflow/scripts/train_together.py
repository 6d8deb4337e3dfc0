"""SAEs of a site, trained together on one stream of captured activations into the store."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.saes.training.cells import train_together
from saegrid.store.learning import opened

with start(snakemake) as job:
    inputs, saes = job.input, Path(job.output.members).parents[1]
    # What a filling beside them takes is not theirs.
    cores = job.cores - job.resources.filling_threads
    with opened(inputs.activations, inputs.tokens, job.resources.filling_memory) as stream:
        done = train_together(stream, job.written["members"], saes, cores=cores)
    io.write_json(job.output.members, done, job.spec)
