"""The page that says in plain words what was found, confirmed and not found."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.pages.browser.about import About
from saegrid.pages.browser.findings import findings_page

with start(snakemake) as job:
    inputs, settings = job.input, job.written
    facts = {name: settings[name] for name in ("study", "title", "model")}
    probes, filling = inputs.probes, inputs.filling
    page = findings_page(
        facts | {"spec": job.spec},
        io.read_json(inputs.facts),
        io.read_table(inputs.summary),
        io.read_table(inputs.discoveries),
        io.read_table(inputs.examples),
        io.read_json(probes[0]) if probes else None,
        io.read_table(probes[1]) if probes else None,
        filling=(
            (io.read_json(filling[0]), io.read_table(filling[1]), io.read_table(filling[2]))
            if filling
            else None
        ),
        about=About.of(map(io.read_table, inputs.about)),
    )
    io.write_text(job.output.page, page)
