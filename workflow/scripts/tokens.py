"""Model input: token rows and where texts and edits stand in them."""

from saegrid.base import io
from saegrid.base.job import start, tell
from saegrid.models import hub
from saegrid.text import tokenizer
from saegrid.text.selection import kept_of
from saegrid.text.tokens import remarks, tokens

with start(snakemake) as job:
    settings = job.settings
    home = hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER)
    parses = settings["special_tokens"] == "parse"
    result = tokens(
        io.read_table(job.input.table),
        kept_of(job.input.selection),
        tokenizer.load(home, settings["bos"], parses=parses),
        settings["layout"],
        settings["mask"],
        settings["row_length"],
        settings["max_length"],
        chat=settings["chat"],
        bos=settings["bos"],
        drawn=io.read_table(job.input.drawn) if job.input.drawn else None,
    )
    print(f"{result.facts['rows']} rows, {result.facts['positions']} positions")
    tell(job.wildcards.corpus, remarks(result.facts))
    io.write_table(job.output.tokens, result.tokens, job.spec)
    io.write_table(job.output.spans, result.spans, job.spec)
    io.write_json(job.output.facts, result.facts, job.spec)
