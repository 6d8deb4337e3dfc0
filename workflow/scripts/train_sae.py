"""An SAE of a cell, trained on captured activations."""

from pathlib import Path

from saegrid.base.job import start
from saegrid.saes.training.cells import train_cell
from saegrid.store.learning import opened

with start(snakemake) as job:
    inputs, saes = job.input, Path(job.output.weights).parents[1]
    learned_from = opened(inputs.activations, inputs.tokens, job.resources.filling_memory)
    train_cell(learned_from, job.wildcards.cell, job.spec, saes)
