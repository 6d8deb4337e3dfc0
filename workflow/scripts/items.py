"""The items of a corpus, and the rows that are none."""

from saegrid.base import io
from saegrid.base.job import start, tell
from saegrid.text.corpora.items import items, remarks

with start(snakemake) as job:
    settings = job.settings
    result = items(
        settings["source"],
        settings["strip"],
        settings["keep_space"],
        settings["grades"],
        settings["share"],
    )
    tell(job.wildcards.corpus, remarks(result))
    print(f"{result.table.num_rows} items, {result.set_aside.num_rows} rows set aside")
    io.write_table(job.output.table, result.table, job.spec)
    io.write_table(job.output.set_aside, result.set_aside, job.spec)
    io.write_json(job.output.facts, result.facts, job.spec)
