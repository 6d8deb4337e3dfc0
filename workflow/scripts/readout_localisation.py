"""Localisation at a site and its cells."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.probes.labelled import described, read_words
from saegrid.evidence.units.local_table import of_site

with start(snakemake) as job:
    words, settings = read_words(job.input.texts), job.settings
    tensors = io.read_tensors(job.input.vectors)
    x = {name: tensors[f"x/{name}"] for name in settings["vectors"]}
    answer = of_site(words, described(job.input, settings), x, settings)
    io.write_table(job.output.curves, answer.curves, job.spec)
    io.write_table(job.output.spread, answer.spread, job.spec)
    io.write_table(job.output.stability, answer.stability, job.spec)
    io.write_table(job.output.metric, answer.metric, job.spec)
    io.write_table(job.output.bands, answer.bands, job.spec)
