"""Sizes of the activations of all layers and corpora, and the dimensions that stand out."""

from saegrid.base.job import start
from saegrid.metrics.survey.layers import survey, write

with start(snakemake) as job:
    result = survey(job.settings["parts"], job.settings["cut"])
    write(result, dict(job.output.items()), job.spec)
