"""Activations of a corpus at all sites of the grid, in one pass of the model."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.capture.corpus import capture_corpus

with start(snakemake) as job:
    capture_corpus(
        job.settings["model"],
        io.read_table(job.input.tokens),
        io.read_table(job.input.spans),
        job.settings["tokens"],
        job.output,
        Path(job.output[0]).parent / "store",
        job.spec,
        shard=job.settings.get("shard"),
        memory_mb=job.resources.mem_mb,
    )
