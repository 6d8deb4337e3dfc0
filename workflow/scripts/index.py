"""The grid as a page, with links to all cells."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.pages.browser.answers import read_answers
from saegrid.pages.browser.facts import corpus_facts, study_facts
from saegrid.pages.browser.index import index
from saegrid.pages.browser.panels import read_panels
from saegrid.pages.figures import captions
from saegrid.text.selection import kept_of
from saegrid.text.tokens import counts_of_kept

with start(snakemake) as job:
    settings, read, files = job.written, io.read_json, job.input
    counts = [
        counts_of_kept(read(tokens), io.read_table(spans), kept_of(selection))
        for tokens, spans, selection in zip(
            files.tokens, files.spans, files.selections, strict=True
        )
    ]
    corpora = [
        corpus_facts(*named, read(facts), read(filtered), counted)
        for named, facts, filtered, counted in zip(
            settings["corpora"], files.facts, files.filters, counts, strict=True
        )
    ]
    page = index(
        study_facts(settings, job.spec),
        io.read_table(files.summary),
        corpora,
        captions(settings["figures"]),
        settings.get("columns", ()),
        read_panels(settings.get("panels", ()), files.panels),
        io.read_table(files.compared[0]) if files.compared else None,
        findings=read_answers(files.answers),
        pages=settings.get("pages", ()),
    )
    io.write_text(job.output.page, page)
