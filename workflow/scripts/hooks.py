"""Tables of what a model writes: prompts, choice of a layer, features drawn by a rule, texts."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import read_features
from saegrid.interventions.written import examples, latents, prompts, sampled, texts
from saegrid.metrics.survey.choice import cell_of, choice
from saegrid.models import hub, read_config, sizes_of
from saegrid.text import tokenizer

with start(snakemake) as job:
    settings, section = job.settings, job.settings["hooks"]
    items, tokens = io.read_table(job.input.table), io.read_table(job.input.tokens)
    home = hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER)
    model = settings["model"]
    folder = hub.folder(model["path"], model["revision"], (hub.CONFIG,))
    sizes = sizes_of(read_config(folder), model["family"])._asdict()
    layers = io.read_table(job.input.layers).to_pylist()
    chosen = choice(layers, settings["corpus"], sizes["n_layers"], settings["cells"])
    at = cell_of(chosen, settings["cells"])
    cell, codes = settings["cells"][at], read_features(job.input.codes[at])
    drawn = sampled(
        io.read_table(job.input.densities[at]),
        *(section[name] for name in ("strata", "each", "least", "seed")),
    )
    theme, ids = section["theme"], drawn["feature"].to_pylist()
    print(f"{cell} is chosen; features {ids}")
    encoder = tokenizer.load(home)
    shown = texts(codes, tokens, items, ids, section["texts"], section["window"], theme)
    io.write_table(job.output.choice, chosen, job.spec)
    io.write_table(job.output.prompts, prompts(items, tokens, theme, encoder.unknown_ids), job.spec)
    io.write_table(job.output.features, drawn, job.spec)
    io.write_table(job.output.texts, shown, job.spec)
    first = examples(items, tokens, theme)
    facts = {"cell": cell, "sizes": sizes, "latents": latents(codes), "examples": first}
    facts["special"] = sorted(encoder.written.values())
    io.write_json(job.output.facts, facts, job.spec)
