"""The store of a streamed corpus: activations of all sites of the grid, in shards."""

from pathlib import Path

from saegrid.job import start, tell
from saegrid.store.fill import fill_as
from saegrid.store.manifest import reasons, sites_of, write_facts

with start(snakemake) as job:
    folder, sites = Path(job.output[0]).parent, sites_of(job.output)
    manifest = fill_as(folder, job.written, sites, job.resources.mem_mb)
    for reason, (n, first) in reasons(manifest.shards).items():
        tell(f"{job.wildcards.corpus}: {n:,} texts are set aside: {reason}, first text {first:,}")
    write_facts(manifest, job.output, job.spec)
