"""Tokens that the model draws after the prompts of a corpus."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.interventions.continuations import continuations
from saegrid.models import hub
from saegrid.models.load import load
from saegrid.text import tokenizer

with start(snakemake) as job:
    settings = job.settings
    home = hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER)
    parses = settings["special_tokens"] == "parse"
    encoder = tokenizer.load(home, settings["bos"], parses=parses)
    texts = io.read_table(job.input.texts, ["edited"])["edited"].to_pylist()
    table = continuations(load(settings["model"]), encoder, texts, settings["drawn"])
    print(f"{table.num_rows} tokens drawn after {len(texts)} prompts")
    io.write_table(job.output.drawn, table, job.spec)
