"""Clamped features while a model writes: log-probabilities of their tokens, and its texts."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import read_features
from saegrid.interventions.clamped import clamp
from saegrid.interventions.live import live
from saegrid.metrics.survey.choice import norm_of
from saegrid.models import hub
from saegrid.models.load import load
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer

with start(snakemake) as job:
    settings, inputs = job.settings, job.input
    at = settings["cells"].index(io.read_json(inputs.facts)["cell"])
    home = hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER)
    parses = settings["special_tokens"] == "parse"
    model = load(settings["model"])
    with open_sae(Path(inputs.saes[2 * at]).parent, last=True) as sae:
        clamps, texts = clamp(
            model,
            live(sae, model.device),
            tokenizer.load(home, settings["bos"], parses=parses),
            read_features(inputs.codes[at]),
            io.read_table(inputs.tokens, ["item", "token_id"]),
            io.read_table(inputs.table),
            io.read_table(inputs.features, ["feature"])["feature"].to_pylist(),
            norm_of(io.read_table(inputs.choice)),
            settings["stop"],
            settings["hooks"],
        )
    io.write_table(job.output.clamps, clamps, job.spec)
    io.write_table(job.output.clamped_texts, texts, job.spec)
