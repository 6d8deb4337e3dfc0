"""The grid as a page, with links to all cells."""

from saegrid.base import io
from saegrid.job import start
from saegrid.pages.browser.facts import corpus_facts, study_facts
from saegrid.pages.browser.index import index
from saegrid.pages.figures import captions
from saegrid.text.selection import kept_of
from saegrid.text.tokens import counts_of_kept

with start(snakemake) as job:
    given, read = job.written, io.read_json
    kept, spans = kept_of(job.input.selection), io.read_table(job.input.spans)
    counts = counts_of_kept(read(job.input.tokens), spans, kept)
    corpus = corpus_facts(given["corpus"], read(job.input.facts), read(job.input.filter), counts)
    cells = io.read_table(job.input.summary)
    io.write_text(job.output.page, index(study_facts(given, job.spec), cells, [corpus], captions()))
