"""An SAE of a cell, trained on captured activations."""

from pathlib import Path

from saegrid import io, workflow
from saegrid.saes.formats.sae_lens import write_sae_lens
from saegrid.saes.training.loop import train
from saegrid.words import Cell

with workflow.job(snakemake) as job:
    sae = job.settings["sae"]
    trained = train(
        job.input.activations,
        sae["recipe"],
        sae["settings"],
        expansion=sae["expansion"],
        seed=sae["seed"],
        threads=job.settings["threads"],
        site=Cell.parse(job.wildcards.cell).site,
        metadata={"model_name": job.written["model"], "capture": job.written["capture"]},
    )
    write_sae_lens(Path(job.output.weights).parent, trained.cfg, trained.tensors, job.spec)
    io.write_table(job.output.history, trained.history, job.spec)
