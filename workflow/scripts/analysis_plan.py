"""The plan of the tests, checked against the texts and written before any number."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.planning import checked_plan, keep_former, read_corpora

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    corpora = read_corpora(inputs.texts, inputs.tokens, inputs.spans, settings["tests"]["seed"])
    plan = checked_plan(settings, corpora)
    plan["changes"] = keep_former(job.output.plan, plan)
    print(*plan["changes"], sep="\n")
    io.write_json(job.output.plan, plan, job.spec)
