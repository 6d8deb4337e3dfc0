"""Examples of every feature: its top tokens, a sample of the others, and near misses."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import read_features
from saegrid.features.examples import examples, top_tokens
from saegrid.features.near_misses import near_misses
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    settings = job.settings["top_tokens"]
    features, table = read_features(job.input.features), io.read_table(job.input.table)
    tokens, kept = io.read_table(job.input.tokens), kept_of(job.input.selection)
    shared = {key: settings[key] for key in ("cut", "window")} | {"layout": job.settings["layout"]}
    rules = {key: settings[key] for key in ("n", "published")}
    rules["by_label"] = job.settings.get("by_label", False)
    draws = {key: settings[key] for key in ("random", "per_quantile", "seed")}
    top = top_tokens(features, table, tokens, kept, **shared, **rules)
    print(f"{top.num_rows} top tokens")
    io.write_table(job.output.top, top, job.spec)
    sample = examples(features, table, tokens, kept, **shared, **draws)
    io.write_table(job.output.examples, sample, job.spec)
    # Of a cell that is known by published pages nobody knows where its features are silent.
    drawn = {"near": 0 if rules["by_label"] else settings["near"], "seed": settings["seed"]}
    near = near_misses(features, table, tokens, kept, **shared, **drawn)
    io.write_table(job.output.near, near, job.spec)
