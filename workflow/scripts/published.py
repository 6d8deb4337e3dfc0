"""Published features beside those of a cell: which one is it, and what is said of it?"""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import read_features
from saegrid.meaning.dashboards import Places, of_page, read_dashboards
from saegrid.meaning.published import compared, countable, said_of
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    settings, codes = job.settings, read_features(job.input.features)
    tokens, items = io.read_table(job.input.tokens), io.read_table(job.input.texts)
    pages = of_page(read_dashboards(job.input.pages), settings["cell"])
    rules = {key: settings[key] for key in ("layout", "window", "edges")}
    counts = countable(tokens, kept_of(job.input.selection), codes, **rules)
    ours = said_of(io.read_table(job.input.concepts))
    table = compared(
        pages,
        Places(tokens, items),
        codes,
        io.read_table(job.input.table),
        counts,
        ours,
        settings["n"],
        settings["itself"],
    )
    print(f"{len(pages)} published features, {table.num_rows} candidates")
    io.write_table(job.output.table, table, job.spec)
