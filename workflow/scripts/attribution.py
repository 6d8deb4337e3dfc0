"""Attribution of the features of a cell on the choice of a word, held against true ablation."""

from pathlib import Path

from saegrid.base import io
from saegrid.base.job import start
from saegrid.base.words import Cell
from saegrid.interventions.attributed import attributed
from saegrid.interventions.differences import choose, facts
from saegrid.interventions.live import live
from saegrid.interventions.passes import whole
from saegrid.models import hub
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    inputs, named, settings = job.input, job.settings["model"], job.settings["attribution"]
    prompts, fates = choose(
        io.read_table(inputs.tokens),
        io.read_table(inputs.spans),
        io.read_table(inputs.texts, ["group"])["group"].to_numpy(),
        kept_of(inputs.selection),
        settings["prompts"],
        settings["seed"],
        settings["shortest"],
        settings["longest"],
    )
    strings = tokenizer.strings(tokenizer.load(hub.tokenizer_folder(named), named["bos"]))
    model, memory = whole(named, job.resources.mem_mb), job.resources.mem_mb // 2
    with open_sae(Path(inputs.sae[0]).parent) as sae:
        one = live(sae, model.device, Cell.parse(job.wildcards.cell).site)
        tables = attributed(model, one, prompts, strings, settings, memory)
    why = facts(fates)
    io.write_table(job.output.attribution, tables.attribution, job.spec, why)
    io.write_table(job.output.examples, tables.examples, job.spec, why)
    io.write_table(job.output.prompts, tables.prompts, job.spec, why)
    io.write_table(job.output.ablation, tables.ablation, job.spec, why)
    io.write_table(job.output.agreement, tables.agreement, job.spec, why)
