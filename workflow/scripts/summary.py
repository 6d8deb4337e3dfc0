"""One row a cell; cells made with other settings are refused."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.features.summary import summary

with start(snakemake) as job:
    root = Path(job.input[0]).parent.parent
    table = summary(
        root, job.settings["expected"], job.settings["cuts"], job.settings.get("columns", ())
    )
    print(f"{table.num_rows} cells")
    io.write_table(job.output.summary, table, job.spec)
