"""Words filled in by the model while confirmed features are turned up: is it funnier?"""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.interventions.filling_study import study_filling

with start(snakemake) as job:
    filling = study_filling(job.input, job.settings, job.resources.mem_mb)
    print(f"filling: {filling.facts['n_features']} features: {filling.facts['verdict']}")
    io.write_table(job.output.table, filling.table, job.spec)
    io.write_table(job.output.texts, filling.texts, job.spec)
    io.write_json(job.output.facts, filling.facts, job.spec)
