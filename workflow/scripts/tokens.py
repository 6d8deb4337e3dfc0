"""Model input: token rows and where texts and edits stand in them."""

from saegrid.base import io
from saegrid.job import start
from saegrid.models import hub
from saegrid.text import tokenizer
from saegrid.text.selection import kept_of
from saegrid.text.tokens import tokens

with start(snakemake) as job:
    given = job.settings
    made = tokens(
        io.read_table(job.input.table),
        kept_of(job.input.selection),
        tokenizer.load(
            hub.folder(given["tokenizer"], given["revision"], hub.TOKENIZER), given["bos"]
        ),
        given["layout"],
        given["mask"],
        given["row_length"],
        given["max_length"],
    )
    print(f"{made.facts['rows']} rows, {made.facts['positions']} positions")
    opening = made.facts["opening"]
    print(f"rows open with {' '.join(opening['tokens']) or 'no special'}: {opening['because']}")
    io.write_table(job.output.tokens, made.tokens, job.spec)
    io.write_table(job.output.spans, made.spans, job.spec)
    io.write_json(job.output.facts, made.facts, job.spec)
