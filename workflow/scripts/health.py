"""The SAEs of a study, judged: table, page and figures; cells made otherwise are refused."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.metrics.health import advice, definitions, health, reasons
from saegrid.pages.browser.health import health_page
from saegrid.pages.figures import HEALTH_FIGURES, captions, draw_all
from saegrid.pages.figures.judged import read_judged

with start(snakemake) as job:
    # As the config has them: a path may differ between machines.
    settings = job.written
    files = dict(zip(settings["cells"], map(Path, job.input.metrics), strict=True))
    table = health(files, settings["expected"], settings["saes"], job.input.baselines)
    io.write_table(job.output.table, table, job.spec)
    judged = read_judged(table, job.input.baselines, job.input.histories, files)
    draw_all(judged, Path(job.output.figures[0]).parent, HEALTH_FIGURES, job.spec)
    facts = {name: settings[name] for name in ("study", "title", "model")}
    page = health_page(
        facts | {"spec": job.spec},
        table,
        {cell: advice(path) for cell, path in files.items()},
        {cell: reasons(path) for cell, path in files.items()},
        definitions(files),
        judged.named_baselines(),
        captions(HEALTH_FIGURES),
    )
    io.write_text(job.output.page, page)
