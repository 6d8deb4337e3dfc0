"""Kin of each feature: what points the same way, fires on the same tokens or in the same texts."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.texts import texts
from saegrid.meaning.kin import Rules
from saegrid.meaning.relatives import relatives
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    items = io.read_table(inputs.texts, ["item", "group"])
    corpus = texts(items, io.read_table(inputs.tokens), io.read_table(inputs.spans))
    files = inputs.features, inputs.top, inputs.saes[::2]
    rules = Rules(**settings["kin"])
    table = relatives(settings["cells"], *files, corpus, kept_of(inputs.selection), rules)
    print(f"{table.num_rows} kin in {len(settings['cells'])} cells")
    io.write_table(job.output.table, table, job.spec)
