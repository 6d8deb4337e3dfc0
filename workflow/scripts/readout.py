"""The page of a readout."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.pages.browser.probed import REQUIRED, probes_page

with start(snakemake) as job:
    inputs, settings = job.input, job.written
    facts = {name: settings[name] for name in {*REQUIRED, "title"} - {"spec"}}
    facts["published"] = io.read_yaml(inputs.published[0]) if inputs.published else None
    paths, n = iter(inputs.tables), len(settings["sites"])
    tables = {name: [io.read_table(next(paths)) for _ in range(n)] for name in settings["outputs"]}
    page = probes_page(
        facts | {"spec": job.spec}, io.read_json(inputs.facts), io.read_table(inputs.texts), tables
    )
    io.write_text(job.output.page, page)
