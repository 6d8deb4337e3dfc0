"""Surprisal of the edits of a corpus, and of what they replaced, under the model itself."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.capture.surprisal import surprisals_of

with start(snakemake) as job:
    result = surprisals_of(
        job.settings["model"],
        io.read_table(job.input.tokens),
        io.read_table(job.input.spans),
        Path(job.output.table).with_name(".surprisal"),
        job.spec,
        job.resources.mem_mb,
    )
    io.write_table(job.output.table, result.table, job.spec, result.facts)
