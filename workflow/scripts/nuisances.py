"""Words of the texts of a corpus, with their frequency, form, place and surprisal."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.nuisance_table import facts_of, table

with start(snakemake) as job:
    inputs = job.input
    surprisal = io.read_table(inputs.surprisal)
    rows, source = table(
        io.read_table(inputs.texts),
        io.read_table(inputs.spans),
        surprisal,
        job.settings["frequency"],
        io.read_table(inputs.counted),
    )
    facts = facts_of(source, io.table_facts(inputs.surprisal))
    print(f"{rows.num_rows} texts; {facts}")
    io.write_table(job.output.table, rows, job.spec, facts)
