"""The tables of a cell from the published pages of its features, where there are no weights."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import write_features
from saegrid.meaning.dashboards import imported, of_cell, read_dashboards
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    tokens, items = io.read_table(job.input.tokens), io.read_table(job.input.texts)
    features = of_cell(read_dashboards(job.input.pages), job.settings["cell"])
    kept = kept_of(job.input.selection)
    result = imported(features, tokens, items, kept, job.settings["layout"])
    print(f"{len(features)} features, {len(result.codes.data)} activations")
    write_features(job.output.features, result.codes, job.spec)
    io.write_table(job.output.table, result.table, job.spec, result.facts)
    io.write_table(job.output.histograms, result.histograms, job.spec)
