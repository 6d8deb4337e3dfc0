"""
How well SAEs do on tokens that they did not learn from, and how other descriptions do.
IN   activations of the cell's site, the cell's SAE, tokens of the corpus, the model
OUT  metrics.json of each cell, baselines of each site, health.parquet and health.html of the study
{corpus} is the one that the SAE learns from, of which texts were held out; for a checkpoint the main one, of
which a share is taken. Not part of `all` unless the config has `metrics: {all: true}`.
"""

for name in ("measure", "baselines", "health"):
    bind(PLAN.graph.stages[name])
