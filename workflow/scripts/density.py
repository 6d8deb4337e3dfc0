"""Density of every feature, sorted."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import read_features
from saegrid.features.density import density, facts
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    features = read_features(job.input.features)
    tokens, kept = io.read_table(job.input.tokens), kept_of(job.input.selection)
    layout = job.settings["layout"]
    result = facts(features, tokens, kept, layout, cuts=())
    print(f"{result['n_active']} features active on {result['n_masked']} tokens")
    table = density(features, tokens, kept, layout)
    io.write_table(job.output.table, table, job.spec, result)
