"""Tokens that the features shown raise and lower most."""

from pathlib import Path

import numpy as np

from saegrid.base import io
from saegrid.base.job import start
from saegrid.base.words import Cell
from saegrid.features.logits import model_logit_effects
from saegrid.models import hub, untrained
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer

with start(snakemake) as job:
    model, n = job.settings["model"], job.settings["logits"]["n"]
    features = np.unique(io.read_table(job.input.top, ["feature"])["feature"].to_numpy())
    with open_sae(Path(job.input.sae[0]).parent, last=True) as sae:
        directions = sae.decoder_rows(features)
        position = (sae.writes or Cell.parse(job.wildcards.cell).site).position
    drawn = untrained.tensors(model) if model["weights"] == "random" else None
    files = hub.WEIGHTS if drawn is None else (hub.CONFIG,)
    folder = hub.folder(model["path"], model["revision"], files)
    strings = tokenizer.strings(tokenizer.load(hub.tokenizer_folder(model), model["bos"]))
    effects = model_logit_effects(
        directions, features, folder, strings, n, model["family"], drawn, position
    )
    print(f"{effects.num_rows} effects of {len(features)} features")
    io.write_table(job.output.effects, effects, job.spec)
