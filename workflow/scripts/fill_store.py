"""The store of a streamed corpus: activations of all sites of the grid, in shards."""

from pathlib import Path

from saegrid.base.job import start, tell
from saegrid.store.fill import fill_as
from saegrid.store.manifest import remarks, sites_of, write_facts

with start(snakemake) as job:
    folder, sites = Path(job.output[0]).parent, sites_of(job.output)
    manifest = fill_as(folder, job.written, sites, job.resources.mem_mb)
    tell(job.wildcards.corpus, remarks(manifest.shards))
    write_facts(manifest, job.output, job.spec)
