"""An SAE of a cell, trained on captured activations."""

from pathlib import Path

from saegrid import workflow
from saegrid.saes.training.cells import train_cell
from saegrid.store.learning import open_stream

with workflow.job(snakemake) as job:
    saes = Path(job.output.weights).parents[1]
    files = job.input.activations, job.input.tokens
    train_cell(*files, job.wildcards.cell, job.spec, saes, open_stream=open_stream)
