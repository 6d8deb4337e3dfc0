"""The survey as a page with its figures."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.pages.browser.survey import survey_page
from saegrid.pages.figures import SURVEY_FIGURES, captions, draw_all
from saegrid.pages.figures.surveyed import Surveyed

with start(snakemake) as job:
    read = {name: io.read_table(path) for name, path in job.input.items() if path}
    surveyed = Surveyed(read["layers"], read["dimensions"], read["passes"])
    draw_all(surveyed, Path(job.output.figures[0]).parent, SURVEY_FIGURES, job.spec)
    facts = {name: job.written[name] for name in ("study", "title", "model", "cut")}
    page = survey_page(
        facts | {"spec": job.spec},
        read["layers"],
        read["dimensions"],
        read["pairs"],
        read.get("base_rates"),
        captions(SURVEY_FIGURES),
    )
    io.write_text(job.output.page, page)
