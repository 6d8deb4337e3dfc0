"""The probes of a site and its cells."""

from saegrid.base.job import start
from saegrid.evidence.probes.labelled import described, read_words
from saegrid.evidence.probes.reported import asked, tables, write

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    words = read_words(inputs.texts)
    of = asked(words.y, words.type, words.fold, settings)
    write(tables(of, described(inputs, settings)), job.output, job.spec)
