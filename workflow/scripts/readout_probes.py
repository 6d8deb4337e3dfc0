"""The probes of a site and its cells."""

from saegrid.base import io
from saegrid.evidence.probes.labelled import described, read_words
from saegrid.evidence.probes.reported import asked, tables
from saegrid.job import start

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    words = read_words(inputs.texts)
    of = asked(words.y, words.type, words.fold, settings)
    answer = tables(of, described(inputs, settings))
    [io.write_table(job.output[name], table, job.spec) for name, table in answer.items()]
