"""
Text to activations, all sites in one pass of the model; and to the surprisal of its edits.
IN   tokens and spans of a corpus, or the files of a streamed one; the model's checkpoint
OUT  activations/{capture}{shard}/{site}.safetensors, or store/{capture}/{site}.json, and
     surprisal.parquet, in results/{study}/{corpus}/
{capture} stands for all that decides the values but the list of sites: another model, text or dtype writes
elsewhere, and a layer more computes the new sites only. No target asks for surprisal.parquet.
"""

for name in ("capture", "surprisal", "fill_store", "begin_store"):
    bind(PLAN.graph.stages[name])
