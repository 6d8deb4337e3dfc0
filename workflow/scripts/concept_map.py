"""Concepts by cell, with chance counted over all cells."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.meaning.atlas import atlas, read_charted

with start(snakemake) as job:
    files, settings = job.input, job.settings
    study = atlas(
        read_charted(settings["cells"], files.concepts, files.best, files.chance),
        settings["alpha"],
    )
    print(f"{study.by_cell.num_rows} cells, {study.facts['n_concepts']} concepts")
    io.write_table(job.output.map, study.map, job.spec)
    io.write_table(job.output.by_cell, study.by_cell, job.spec)
    io.write_json(job.output.facts, study.facts, job.spec)
