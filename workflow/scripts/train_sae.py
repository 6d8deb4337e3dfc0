"""An SAE of a cell, trained on captured activations."""

from pathlib import Path

from saegrid import workflow
from saegrid.saes.training.cells import train_cell

with workflow.job(snakemake) as job:
    saes = Path(job.output.weights).parents[1]
    train_cell(job.input.activations, job.input.tokens, job.wildcards.cell, job.spec, saes)
