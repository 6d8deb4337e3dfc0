"""The items of a corpus, and the rows that are none."""

from saegrid import io, workflow
from saegrid.corpora.items import items

with workflow.job(snakemake) as job:
    given = job.settings
    made = items(given["source"], given["strip"], given["keep_space"], given["grades"])
    print(f"{made.table.num_rows} items, {made.set_aside.num_rows} rows set aside")
    io.write_table(job.output.table, made.table, job.spec)
    io.write_table(job.output.set_aside, made.set_aside, job.spec)
    io.write_json(job.output.facts, made.facts, job.spec)
