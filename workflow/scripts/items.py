"""The items of a corpus, and the rows that are none."""

from saegrid.base import io
from saegrid.job import start
from saegrid.text.corpora.items import items

with start(snakemake) as job:
    given = job.settings
    made = items(given["source"], given["strip"], given["keep_space"], given["grades"])
    print(f"{made.table.num_rows} items, {made.set_aside.num_rows} rows set aside")
    io.write_table(job.output.table, made.table, job.spec)
    io.write_table(job.output.set_aside, made.set_aside, job.spec)
    io.write_json(job.output.facts, made.facts, job.spec)
