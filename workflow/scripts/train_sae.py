"""An SAE of a cell, trained on captured activations."""

from pathlib import Path

from saegrid.job import start
from saegrid.saes.training.cells import train_cell
from saegrid.store.learning import opened

with start(snakemake) as job:
    given, saes = job.input, Path(job.output.weights).parents[1]
    learned_from = opened(given.activations, given.tokens, job.resources.filling_memory)
    train_cell(learned_from, job.wildcards.cell, job.spec, saes)
