"""The feature browser of a cell, one offline file."""

from importlib.metadata import version

from saegrid.base import io
from saegrid.base.job import start
from saegrid.base.words import Cell
from saegrid.codes.sparse import read_features
from saegrid.meaning.dashboards import bars_of
from saegrid.meaning.names.kept import read_state
from saegrid.pages.browser.page import neuronpedia, page
from saegrid.pages.browser.panels import read_panels
from saegrid.saes.reference import described, on_neuronpedia

with start(snakemake) as job:
    names = ("study", "model", "corpus", "cell", "mask", "layout")
    facts = {name: job.written[name] for name in names} | io.table_facts(job.input.table)
    site, sae = Cell.parse(job.wildcards.cell)
    # The version is no part of the spec: a page is as good as new under another one.
    more = {**job.written["more"], "made with": f"saegrid {version('saegrid')}"}
    more |= {"checkpoint": described(job.input.reference)} if job.input.reference else {}
    named = job.written.get("neuronpedia") or on_neuronpedia(job.input.reference)
    facts["link"] = neuronpedia(named)
    text = page(
        {**facts, "site": str(site), "sae": sae, "spec": job.spec, "more": more},
        io.read_table(job.input.table),
        io.read_table(job.input.top),
        io.read_table(job.input.examples),
        io.read_table(job.input.tokens),
        read_features(job.input.features),
        io.read_table(job.input.concepts),
        io.read_table(job.input.logits) if job.input.logits else None,
        io.read_table(job.input.selection),
        io.read_table(job.input.corpus_items),
        read_panels(job.written.get("panels", ()), job.input.panels),
        bars_of(io.read_table(job.input.histograms)) if job.input.histograms else None,
        io.read_table(job.input.near),
        read_state(job.written.get("labels", ())),
    )
    print(f"{len(text) / 1e6:.1f} MB")
    io.write_text(job.output.page, text)
