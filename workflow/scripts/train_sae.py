"""An SAE of a cell, trained on captured activations."""

from pathlib import Path

from saegrid import workflow
from saegrid.saes.training.cells import train_cell
from saegrid.store.learning import files

with workflow.job(snakemake) as job:
    stream = files(job.input.activations, job.input.tokens)
    train_cell(stream, job.wildcards.cell, job.spec, Path(job.output.weights).parents[1])
