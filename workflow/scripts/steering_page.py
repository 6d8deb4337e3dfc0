"""The page on which texts with and without steering stand side by side."""

from saegrid.base import io
from saegrid.job import start
from saegrid.pages.browser.steered import Cell, steering_page

with start(snakemake) as job:
    files, settings = job.input, job.written
    facts = {name: settings[name] for name in ("study", "title", "model", "corpus")}
    by_cell = zip(files.choice, files.doses, files.texts, files.summary, strict=True)
    cells = [
        Cell(name, *(io.read_table(path) for path in paths))
        for name, paths in zip(settings["cells"], by_cell, strict=True)
    ]
    page = steering_page(facts | {"spec": job.spec}, cells, settings["shown"])
    io.write_text(job.output.page, page)
