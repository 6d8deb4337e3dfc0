"""Contrasts of texts, tested on every feature of every cell."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.grid import test_grid
from saegrid.evidence.inputs import read_inputs, write_cells

with start(snakemake) as job:
    outcome = test_grid(read_inputs(job.input, job.settings))
    write_cells(job.output.table, outcome, job.spec)
    io.write_table(job.output.summary, outcome.summary, job.spec)
    io.write_table(job.output.discoveries, outcome.discoveries, job.spec)
    io.write_table(job.output.examples, outcome.examples, job.spec)
    io.write_json(job.output.facts, outcome.facts, job.spec)
