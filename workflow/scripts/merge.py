"""Sparse features of a cell from those of the shards of its corpus."""

from saegrid.base.job import start
from saegrid.codes.merge import merge_features

with start(snakemake) as job:
    entries = merge_features(job.input, job.output.features, job.spec)
    print(f"{entries} activations of {len(job.input)} shards")
