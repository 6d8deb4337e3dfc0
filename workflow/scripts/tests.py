"""Contrasts of texts, tested on every feature of every cell."""

from saegrid.base import io
from saegrid.evidence.grid import test_grid
from saegrid.evidence.inputs import read_inputs
from saegrid.job import start

with start(snakemake) as job:
    outcome = test_grid(read_inputs(job.input, job.settings))
    for path, cell in zip(job.output.table, job.settings["cells"], strict=True):
        io.write_table(path, outcome.cells[cell[0]], job.spec)
    io.write_table(job.output.summary, outcome.summary, job.spec)
    io.write_table(job.output.discoveries, outcome.discoveries, job.spec)
    io.write_table(job.output.examples, outcome.examples, job.spec)
    io.write_json(job.output.facts, outcome.facts, job.spec)
