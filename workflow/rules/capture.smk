"""
Text to activations, all sites in one pass of the model.
IN   results/{study}/{corpus}/tokens.parquet, spans.parquet, the model's checkpoint; of a streamed corpus its
     files, or the hub
OUT  results/{study}/{corpus}/activations/{capture}{shard}/{site}.safetensors
     results/{study}/{corpus}/store/{capture}/{site}.json   counts and checksums of a site's shards
     .../{site}.begun.json      stands for it where trainings fill it (store: {beside: true})
{capture} stands for all that decides the values but the list of sites: another model, text or dtype writes
elsewhere, and a layer more computes the new sites only (finished ones are kept as hard links in the folder
`store` beside them). {shard} is empty, or a part of the corpus such as /shard-2-of-8. A model that does not fit
in the job's memory runs block by block; the bytes are the same.
A store's manifest.json and shards, {site}/00000.safetensors and so on, are no outputs, since Snakemake removes
outputs before a job: a store goes on where it was killed, and grows when more text or another site is asked for.
"""

for name in [
    "capture",
    "fill_store",
    "begin_store",
]:
    bind(PLAN.graph.stages[name])
