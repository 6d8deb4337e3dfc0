"""The vectors of labelled texts in rows of one length."""

from pathlib import Path

import torch

from saegrid.base import io
from saegrid.base.job import start
from saegrid.base.words import Site
from saegrid.evidence.probes.vectors import ids_of, pad_of, padded_vectors
from saegrid.models import hub
from saegrid.models.load import load
from saegrid.text import tokenizer

with start(snakemake) as job:
    settings = job.settings
    torch.set_num_threads(settings["threads"])
    home = hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER)
    pad = pad_of(tokenizer.load(home))
    ids = ids_of(io.read_table(job.input.texts), io.read_table(job.input.tokens))
    sites = [Site.parse(Path(path).stem) for path in job.output.tensors]
    tensors = padded_vectors(load(settings["model"]), ids, pad, sites, settings["vectors"])
    [
        io.write_tensors(path, tensors[site], job.spec)
        for path, site in zip(job.output.tensors, sites, strict=True)
    ]
