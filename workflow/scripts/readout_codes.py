"""The codes of the vectors of labelled texts, and their reconstruction."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.encode import place
from saegrid.evidence.probes.coded import coded
from saegrid.saes.reference import open_sae

with start(snakemake) as job:
    sae = open_sae(Path(job.input.sae[0]).parent)
    x = io.read_tensors(job.input.vectors)
    tensors = coded(sae, x, job.resources.mem_mb, place(job.resources.gpu))
    io.write_tensors(job.output.tensors, tensors, job.spec)
