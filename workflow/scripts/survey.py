"""Sizes of the activations of all layers and corpora, and the dimensions that stand out."""

from saegrid import workflow
from saegrid.survey import survey, write

with workflow.job(snakemake) as job:
    found = survey(job.settings["parts"], job.settings["cut"])
    write(found, dict(job.output.items()), job.spec)
