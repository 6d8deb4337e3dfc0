"""One row a cell and corpus; cells made with other settings are refused."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.features.summary import by_corpus

with start(snakemake) as job:
    settings = job.settings
    table = by_corpus(
        io.read_table(job.input.summary),
        Path(job.output.table).parent,
        settings["corpora"],
        settings["expected"],
        settings["cuts"],
        settings.get("columns", ()),
    )
    print(f"{len(settings['corpora'])} corpora, {table.num_rows} rows")
    io.write_table(job.output.table, table, job.spec)
