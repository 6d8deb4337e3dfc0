"""
Activations to sparse features, densities and examples, one job a stage and cell.
IN   activations of the cell's site, the cell's SAE, tokens and selection of the corpus
OUT  results/{study}/{corpus}/cells/{cell}/features{shard}.safetensors  of a corpus in shards
     results/{study}/{corpus}/cells/{cell}/features.safetensors   sparse z, CSC by feature
     results/{study}/{corpus}/cells/{cell}/features.parquet       densities, sorted
     results/{study}/{corpus}/cells/{cell}/top_tokens.parquet     top tokens
     results/{study}/{corpus}/cells/{cell}/examples.parquet       random and quantile examples
     results/{study}/{corpus}/cells/{cell}/topics.parquet         judged by word lists and by form
     results/{study}/{corpus}/cells/{cell}/logit_effects.parquet  tokens raised and lowered
"""


# Of a corpus in shards encode makes the parts and merge the whole.
ruleorder: merge > encode


for name in [
    "encode",
    "merge",
    "density",
    "top_tokens",
    "logit_effects",
]:
    bind(PLAN.graph.stages[name])
