"""The page of clusters: how many, how firm, beside labels and raw activations."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.meaning.clusters.tables import DEFINITIONS, SCHEMAS
from saegrid.pages.browser.clustered import clusters_page
from saegrid.pages.browser.clustered_tables import Site

with start(snakemake) as job:
    files, settings = job.input, job.written
    facts = {name: settings[name] for name in ("study", "title", "model", "corpus", "section")}
    by_site = zip(*(getattr(files, name) for name in SCHEMAS), strict=True)
    sites = [
        Site(name, *map(io.read_table, paths))
        for name, paths in zip(settings["sites"], by_site, strict=True)
    ]
    page = clusters_page({**facts, "definitions": DEFINITIONS, "spec": job.spec}, sites)
    io.write_text(job.output.page, page)
