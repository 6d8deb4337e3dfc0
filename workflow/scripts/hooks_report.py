"""The report on what a model writes, as a page."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.pages.browser.clustered_tables import site_of
from saegrid.pages.browser.report import REQUIRED, Report, report_page

with start(snakemake) as job:
    inputs, settings = job.input, job.written
    facts = {name: settings[name] for name in {*REQUIRED, "title"} - {"spec"}}
    read = io.read_json(inputs.facts)
    at = settings["cells"].index(read["cell"])
    names = ("choice", "prompts", "features", "texts", "clamps", "clamped_texts")
    page = report_page(
        {**facts, "spec": job.spec},
        Report(
            **{name: io.read_table(inputs[name]) for name in names},
            concepts=io.read_table(inputs.concepts[at]),
            histories={Path(path).parent.name: io.read_table(path) for path in inputs.histories},
            clusters=site_of(read["cell"], settings["sites"], inputs.clusters, io.read_table),
            facts=read,
        ),
    )
    io.write_text(job.output.page, page)
