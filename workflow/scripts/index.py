"""The grid as a page, with links to all cells."""

from saegrid import io, workflow
from saegrid.browser.facts import corpus_facts, study_facts
from saegrid.browser.index import index
from saegrid.figures import captions

with workflow.job(snakemake) as job:
    given = job.written
    corpus = corpus_facts(given["corpus"], *map(io.read_json, job.input.facts))
    cells = io.read_table(job.input.summary)
    text = index(study_facts(given, job.spec), cells, [corpus], captions())
    io.write_text(job.output.page, text)
