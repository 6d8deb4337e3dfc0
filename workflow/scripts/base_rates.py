"""The share of each topic in the words of the corpora in use."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.metrics.survey.base_rates import table
from saegrid.text.wordlists import read_all

with start(snakemake) as job:
    result = table(job.settings["parts"], read_all(job.settings["lists"]))
    io.write_table(job.output.table, result, job.spec)
