"""Sizes of the activations of all layers and corpora, and the dimensions that stand out."""

from saegrid.job import start
from saegrid.survey.layers import survey, write

with start(snakemake) as job:
    found = survey(job.settings["parts"], job.settings["cut"])
    write(found, dict(job.output.items()), job.spec)
