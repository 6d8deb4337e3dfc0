"""The grid as a page, with links to all cells."""

from saegrid.base import io
from saegrid.job import start
from saegrid.pages.browser.facts import corpus_facts, study_facts
from saegrid.pages.browser.index import index
from saegrid.pages.browser.panels import read_panels
from saegrid.pages.figures import captions
from saegrid.text.selection import kept_of
from saegrid.text.tokens import counts_of_kept

with start(snakemake) as job:
    settings, read = job.written, io.read_json
    kept, spans = kept_of(job.input.selection), io.read_table(job.input.spans)
    counts = counts_of_kept(read(job.input.tokens), spans, kept)
    corpus = corpus_facts(settings["corpus"], read(job.input.facts), read(job.input.filter), counts)
    page = index(
        study_facts(settings, job.spec),
        io.read_table(job.input.summary),
        [corpus],
        captions(settings["figures"]),
        settings.get("columns", ()),
        read_panels(settings.get("panels", ()), job.input.panels),
    )
    io.write_text(job.output.page, page)
