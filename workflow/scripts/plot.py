"""The figures of a study."""

from pathlib import Path

from saegrid import workflow
from saegrid.figures import draw_all
from saegrid.figures.grid import read_grid

with workflow.job(snakemake) as job:
    grid = read_grid(job.input.tables, job.input.facts[-1], job.settings["cuts"])
    draw_all(grid, Path(job.output[0]).parent)
