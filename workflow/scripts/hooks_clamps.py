"""Clamped features while a model writes: log-probabilities of their tokens, and its texts."""

from pathlib import Path

from saegrid.base import io
from saegrid.codes.sparse import read_features
from saegrid.interventions.clamped import arms_of, clamped_texts, deltas, table, targets
from saegrid.interventions.live import live
from saegrid.interventions.written import spread
from saegrid.job import start
from saegrid.models import hub
from saegrid.models.load import load
from saegrid.saes.reference import open_sae
from saegrid.survey.choice import norm_of
from saegrid.text import tokenizer

with start(snakemake) as job:
    settings, section = job.settings, job.settings["hooks"]
    at = settings["cells"].index(io.read_json(job.input.facts)["cell"])
    codes, items = read_features(job.input.codes[at]), io.read_table(job.input.table)
    tokens = io.read_table(job.input.tokens, ["item", "token_id"])
    ids, item = (tokens[name].to_numpy() for name in ("token_id", "item"))
    sample = io.read_table(job.input.features, ["feature"])["feature"].to_pylist()
    home = hub.folder(settings["tokenizer"], settings["revision"], hub.TOKENIZER)
    parses = settings["special_tokens"] == "parse"
    encoder = tokenizer.load(home, settings["bos"], parses=parses)
    places = spread(items, section["theme"], section["read"])
    texts, names = items["edited"].to_pylist(), items["id"].to_pylist()
    prompts = {names[n]: encoder.opened(texts[n]) for n in places[: section["shown"]]}
    model = load(settings["model"])
    with open_sae(Path(job.input.saes[2 * at]).parent, last=True) as sae:
        running = live(sae, model.device)
        chosen = targets(codes, ids, sample, section["clamped"], section["least"])
        arms = arms_of(running, chosen, section["strength"])
        print(f"{len(arms)} arms of {len(chosen)} features on {len(places)} texts")
        measured = deltas(model, running, arms, [ids[item == n].tolist() for n in places])
        how = {name: section[name] for name in ("new_tokens", "temperature", "seed")}
        how["ends"] = encoder.special_ids if settings["stop"] else []
        written = clamped_texts(model, running, arms, prompts, how, encoder.decode)
    norm = norm_of(io.read_table(job.input.choice))
    clamps = table(arms, measured, lambda token: encoder.decode([token]), norm)
    io.write_table(job.output.clamps, clamps, job.spec)
    io.write_table(job.output.clamped_texts, written, job.spec)
