"""Steering with the features of a cell: the choice, the doses and what the model writes."""

from pathlib import Path

import numpy as np

from saegrid.base import io
from saegrid.base.job import start
from saegrid.base.tensors import widen
from saegrid.base.words import Cell
from saegrid.capture import activations
from saegrid.codes.sparse import read_features
from saegrid.interventions.live import live
from saegrid.interventions.steering import steer_cell
from saegrid.models import hub
from saegrid.models.load import load
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer

with start(snakemake) as job:
    named, inputs = job.settings["model"], job.input
    model = load(named)
    parts = [activations.read(path) for path in inputs.activations]
    with open_sae(Path(inputs.sae[0]).parent) as sae:
        result = steer_cell(
            model,
            live(sae, model.device, Cell.parse(job.settings["cell"]).site),
            read_features(inputs.features),
            io.read_table(inputs.tokens),
            np.concatenate([widen(x) for x, _ in parts]),
            np.concatenate([token for _, token in parts]),
            tokenizer.load(hub.tokenizer_folder(named), named["bos"]),
            job.settings["steering"],
        )
    print(result.facts["counts"])
    io.write_table(job.output.choice, result.choice, job.spec, result.facts)
    io.write_table(job.output.doses, result.doses, job.spec, result.facts)
    io.write_table(job.output.texts, result.texts, job.spec, result.facts)
    io.write_table(job.output.summary, result.summary, job.spec, result.facts)
