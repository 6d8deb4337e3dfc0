"""The figures of a study."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.pages.figures import draw_all
from saegrid.pages.figures.grid import read_grid
from saegrid.text.selection import kept_of
from saegrid.text.tokens import counts_of_kept

with start(snakemake) as job:
    kept, spans = kept_of(job.input.selection), io.read_table(job.input.spans)
    counts = counts_of_kept(io.read_json(job.input.tokens), spans, kept)
    settings = job.settings
    grid = read_grid(job.input.tables, counts, settings["cuts"], settings["files"])
    draw_all(grid, Path(job.output[0]).parent, settings["figures"], job.spec)
