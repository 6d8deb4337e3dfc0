"""The labelled texts of a readout."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.probes.labelled import words
from saegrid.models import hub
from saegrid.text import tokenizer

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    home = hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER)
    kept = io.read_table(inputs.selection)["kept"].to_numpy(zero_copy_only=False)
    tables = [io.read_table(inputs[name]) for name in ("table", "tokens", "spans")]
    unknown = tokenizer.load(home).unknown_ids
    table, facts = words(tables, kept, unknown, settings["readout"])
    print(f"{table.num_rows:,} texts of {facts['classes']}")
    io.write_table(job.output.table, table, job.spec)
    io.write_json(job.output.facts, facts, job.spec)
