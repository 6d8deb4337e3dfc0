"""A reference to a checkpoint that stays where it is, with the norms of its decoder."""

from saegrid.base.job import start
from saegrid.saes.reference import described, import_sae

with start(snakemake) as job:
    settings = job.written
    sae = import_sae(
        settings["sae"], settings["cell"], job.output.reference, job.output.norms, job.spec
    )
    print(f"{sae.decoder.d_sae} features at {sae.site}")
    print(described(job.output.reference))
