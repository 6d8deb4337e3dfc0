"""The vectors of labelled texts at a site."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.probes.vectors import vectors

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    padded = {key: x for path in inputs.padded for key, x in io.read_tensors(path).items()}
    texts = io.read_table(inputs.texts)
    tensors = vectors(texts, inputs.activations, padded, settings["vectors"], settings["corpus"])
    io.write_tensors(job.output.tensors, tensors, job.spec)
