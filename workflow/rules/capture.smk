"""
Text to activations, all sites in one pass of the model; to the surprisal of its edits; and from prompts on.
IN   tokens and spans of a corpus, or the files of a streamed one; the model's checkpoint
OUT  activations/{capture}{shard}/{site}.safetensors, or store/{capture}/{site}.json, and
     surprisal.parquet; of prompts continuations.parquet, before its tokens; in results/{study}/{corpus}/
{capture} stands for all that decides the values but the list of sites: another model, text or dtype writes
elsewhere, and a layer more computes the new sites only. No target asks for surprisal.parquet.
"""

for name in ("continuations", "capture", "surprisal", "fill_store", "begin_store"):
    bind(PLAN.graph.stages[name])
