"""Tests of each unit of a site and its cells."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.probes.labelled import described, read_words
from saegrid.evidence.units.table import of_site

with start(snakemake) as job:
    words, settings = read_words(job.input.texts), job.settings
    answer = of_site(words, described(job.input, settings), settings["site"], settings)
    io.write_table(job.output.summary, answer.summary, job.spec)
    io.write_table(job.output.listed, answer.listed, job.spec)
    io.write_table(job.output.histograms, answer.histograms, job.spec)
    io.write_table(job.output.power, answer.power, job.spec)
    io.write_tensors(job.output.tensors, answer.tensors, job.spec)
