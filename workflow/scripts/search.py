"""Features of all cells that answer queries: words in stored codes, prompts through the model."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.interventions.search.files import of_inputs
from saegrid.interventions.search.several import answered
from saegrid.pages.browser.prompted import search_page

with start(snakemake) as job:
    settings, written = job.settings, job.written
    cells = of_inputs(job.input, settings)
    memory = job.resources.mem_mb
    answers = answered(cells, settings["search"], memory, print)
    io.write_table(job.output.table, answers.table, job.spec)
    io.write_table(job.output.tokens_table, answers.tokens, job.spec)
    facts = {name: settings[name] for name in ("study", "title", "corpus")}
    facts |= {"model": written["named"], "spec": job.spec}
    io.write_text(job.output.page, search_page(facts, answers.table, answers.tokens))
