"""How common each topic is in the corpora in use."""

from saegrid import io, workflow
from saegrid.base_rates import table
from saegrid.wordlists import read_all

with workflow.job(snakemake) as job:
    made = table(job.settings["parts"], read_all(job.settings["lists"]))
    io.write_table(job.output.table, made, job.spec)
