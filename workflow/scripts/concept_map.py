"""Which cell shows which concept, with chance counted over all cells."""

from saegrid.base import io
from saegrid.job import start
from saegrid.meaning.atlas import atlas, read_charted

with start(snakemake) as job:
    files, settings = job.input, job.settings
    made = atlas(
        read_charted(settings["cells"], files.concepts, files.best, files.chance),
        settings["alpha"],
    )
    print(f"{made.by_cell.num_rows} cells, {made.facts['n_concepts']} concepts")
    io.write_table(job.output.map, made.map, job.spec)
    io.write_table(job.output.by_cell, made.by_cell, job.spec)
    io.write_json(job.output.facts, made.facts, job.spec)
