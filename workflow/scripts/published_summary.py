"""The published features of all cells, and what their source says of those that it names."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.meaning.published import summed_up

with start(snakemake) as job:
    tables = map(io.read_table, job.input.tables)
    by_cell = dict(zip(job.settings["cells"], tables, strict=True))
    io.write_table(job.output.table, summed_up(by_cell, job.settings["corpus"]), job.spec)
