"""Sparse features of a cell from those of the shards of its corpus."""

from saegrid import workflow
from saegrid.merge import merge_features

with workflow.job(snakemake) as job:
    entries = merge_features(job.input, job.output.features, job.spec)
    print(f"{entries} activations of {len(job.input)} shards")
