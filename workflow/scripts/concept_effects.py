"""Concepts of words that tell texts apart: the contrasts of the tests, put to words."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.meaning.study import concept_effects

with start(snakemake) as job:
    effects = concept_effects(job.input, job.settings)
    print(f"{effects.things.num_rows} concepts")
    io.write_table(job.output.things, effects.things, job.spec)
    io.write_table(job.output.tests, effects.tests, job.spec)
    io.write_table(job.output.figures, effects.figures, job.spec)
