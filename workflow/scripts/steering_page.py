"""The page on which texts with and without steering stand side by side, and which choice works."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.interventions import pooled
from saegrid.pages.browser.steered import Cell, steering_page

with start(snakemake) as job:
    files, settings = job.input, job.written
    facts = {name: settings[name] for name in ("study", "title", "model", "corpus")}
    by_cell = zip(files.choice, files.doses, files.texts, files.summary, strict=True)
    cells = [
        Cell(name, *(io.read_table(path) for path in paths))
        for name, paths in zip(settings["cells"], by_cell, strict=True)
    ]
    by_choice = pooled.by_choice(
        [cell.choice for cell in cells], [cell.doses for cell in cells], settings["seed"]
    )
    page = steering_page(facts | {"spec": job.spec}, cells, by_choice, settings["shown"])
    io.write_table(job.output.by_choice, by_choice, job.spec, pooled.DEFINITIONS)
    io.write_text(job.output.page, page)
