"""Sparse features of a cell."""

from pathlib import Path

from saegrid.base.job import start
from saegrid.capture import activations
from saegrid.codes.encode import encode, place
from saegrid.codes.sparse import write_features
from saegrid.saes.reference import open_sae

with start(snakemake) as job:
    settings = job.settings
    x, token = activations.read(job.input.activations)
    sae = open_sae(Path(job.input.sae[0]).parent)
    print(f"{len(token)} tokens, {sae.encoder.d_sae} features of {sae.encoder.d_model} dimensions")
    features = encode(
        x,
        token,
        sae.encoder,
        screen=settings["encode"]["screen"],
        threads=settings["threads"],
        memory_mb=job.resources.mem_mb,
        device=place(job.resources.gpu),
        name=job.input.activations,
        tell=print,
    )
    print(f"{len(features.data)} activations")
    write_features(job.output.features, features, job.spec)
