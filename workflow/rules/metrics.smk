"""
How well SAEs do on tokens that they did not learn from, and how other descriptions do.
IN   activations of the cell's site, the cell's SAE, tokens of the corpus, the model; of a streamed
     corpus the facts of the site's shards alone
OUT  results/{study}/{corpus}/cells/{cell}/metrics.json      numbers and health lights
     results/{study}/{corpus}/baselines/{site}.parquet       PCA and others at the cells' L0
     results/{study}/health.parquet, health.html             all SAEs, judged
     results/{study}/figures/{figure}.svg                    their plots
{corpus} is the one that the SAE learns from, of which texts were held out; for a checkpoint the
main one, of which a share is taken. Not part of `all` unless the config has `metrics: {all: true}`.
"""

for name in [
    "measure",
    "baselines",
    "health",
]:
    bind(PLAN.graph.stages[name])
