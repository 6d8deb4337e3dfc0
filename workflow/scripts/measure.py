"""Numbers of an SAE on tokens that it did not learn from, and what they say of its health."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.encode import place
from saegrid.metrics.measure import metrics_of
from saegrid.metrics.sources import files
from saegrid.saes.reference import open_sae

with start(snakemake) as job:
    inputs, uses = job.input, job.resources
    source = files(inputs.activations, inputs.tokens)
    target = files(inputs.target, inputs.tokens) if inputs.target else None
    with open_sae(Path(inputs.sae[0]).parent) as sae:
        result = metrics_of(sae, source, job.settings, uses.mem_mb, place(uses.gpu), target)
    io.write_json(job.output.metrics, result, job.spec)
