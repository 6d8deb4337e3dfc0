"""The items that the filter keeps; the others stay in the files."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.text.selection import report, selection

with start(snakemake) as job:
    items = io.read_table(job.input.table)
    chosen = job.settings["filter"] or {}
    facts = report(items, **chosen)
    print(f"{facts['kept']} of {facts['total']} items kept")
    io.write_table(job.output.selection, selection(items, **chosen), job.spec)
    io.write_json(job.output.facts, facts, job.spec)
