"""How common each topic is in the corpora in use."""

from saegrid.base import io
from saegrid.job import start
from saegrid.survey.base_rates import table
from saegrid.text.wordlists import read_all

with start(snakemake) as job:
    made = table(job.settings["parts"], read_all(job.settings["lists"]))
    io.write_table(job.output.table, made, job.spec)
