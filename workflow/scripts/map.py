"""The page of the map, one offline file."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.meaning.names.kept import NAMED, labelled
from saegrid.pages.browser.mapped import map_page

with start(snakemake) as job:
    files, settings = job.input, job.written
    facts = {name: settings[name] for name in ("study", "title", "model", "corpus")}
    tables = [io.read_table(path) for path in files.concepts]
    read = [io.read_table(path, NAMED) for path in files.names]
    named = labelled(dict(zip(settings["cells"], read, strict=False)), settings.get("labels", {}))
    page = map_page(
        facts | {"spec": job.spec},
        io.read_json(files.facts),
        io.read_table(files.map),
        io.read_table(files.by_cell),
        list(zip(settings["cells"], tables, strict=True)),
        named,
    )
    print(f"{len(page) / 1e6:.1f} MB")
    io.write_text(job.output.page, page)
