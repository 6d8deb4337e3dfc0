"""
Activations to sparse features, densities and examples, one job a stage and cell.
IN   activations of the cell's site, the cell's SAE, tokens and selection of the corpus
OUT  the tables in results/{study}/{corpus}/cells/{cell}/
"""

for name in ("encode", "merge", "density", "top_tokens", "concepts", "logit_effects", "kin"):
    bind(PLAN.graph.stages[name])


if PLAN.corpora.in_shards():

    # Of a corpus in shards encode makes the parts and merge the whole.
    ruleorder: merge > encode
