"""Model input: token rows and where texts and edits stand in them."""

from saegrid.base import io
from saegrid.job import start
from saegrid.models import hub
from saegrid.text import tokenizer
from saegrid.text.selection import kept_of
from saegrid.text.tokens import tokens

with start(snakemake) as job:
    settings = job.settings
    result = tokens(
        io.read_table(job.input.table),
        kept_of(job.input.selection),
        tokenizer.load(
            hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER), settings["bos"]
        ),
        settings["layout"],
        settings["mask"],
        settings["row_length"],
        settings["max_length"],
    )
    print(f"{result.facts['rows']} rows, {result.facts['positions']} positions")
    opening = result.facts["opening"]
    print(f"rows open with {' '.join(opening['tokens']) or 'no special'}: {opening['because']}")
    io.write_table(job.output.tokens, result.tokens, job.spec)
    io.write_table(job.output.spans, result.spans, job.spec)
    io.write_json(job.output.facts, result.facts, job.spec)
