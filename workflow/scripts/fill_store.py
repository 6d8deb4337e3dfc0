"""The store of a streamed corpus: activations of all sites of the grid, in shards."""

from pathlib import Path

from saegrid import hub, tokenizer, workflow
from saegrid.store.fill import fill
from saegrid.store.manifest import sites_of, write_facts
from saegrid.store.settings import settings_of

with workflow.job(snakemake) as job:
    given = job.settings
    model = {**given["model"], "name": job.written["model"]["name"]}
    folder = hub.folder(given["tokenizer"], model["revision"], hub.TOKENIZER)
    manifest = fill(
        Path(job.output[0]).parent,
        model,
        tokenizer.load(folder, model["bos"]),
        given["source"],
        settings_of(given["settings"]),
        sites_of(job.output),
        given["store"],
        memory_mb=job.resources.mem_mb,
    )
    write_facts(manifest, job.output, job.spec)
