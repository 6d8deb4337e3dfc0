"""Names of features of a cell with their scores, and the labels that people gave."""

from functools import partial

from saegrid.base import io
from saegrid.base.job import start, tell
from saegrid.codes.sparse import read_features
from saegrid.meaning.names import labels
from saegrid.meaning.names.cell import name_cell
from saegrid.meaning.names.run import remarks
from saegrid.meaning.names.words import word_lists
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    settings = job.settings
    features = read_features(job.input.features)
    files = labels.read_all(job.settings, job.written, job.wildcards.corpus, job.wildcards.cell)
    labels.check_features(files, features.d_sae)
    outcome = name_cell(
        features,
        io.read_table(job.input.tokens),
        kept_of(job.input.selection),
        io.read_table(job.input.texts),
        settings["names"],
        settings["layout"],
        io.read_table(job.input.tests) if job.input.tests else None,
        io.read_table(job.input.concepts),
        word_lists(io.read_table(job.input.types)),
        settings["answers"],
        partial(tell, job.wildcards.cell),
    )
    tell(job.wildcards.cell, remarks(outcome))
    io.write_table(job.output.names, outcome.names, job.spec)
    io.write_table(job.output.contexts, outcome.contexts, job.spec)
    io.write_table(job.output.labels, labels.table(files), job.spec)
    io.write_table(job.output.agreement, labels.agreements(files), job.spec)
