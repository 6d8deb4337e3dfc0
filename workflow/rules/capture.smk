"""
Text to activations, all sites in one pass of the model.
IN   tokens and spans of a corpus, or the files of a streamed one; the model's checkpoint
OUT  activations/{capture}{shard}/{site}.safetensors, or store/{capture}/{site}.json, in results/{study}/{corpus}/
{capture} stands for all that decides the values but the list of sites: another model, text or dtype writes
elsewhere, and a layer more computes the new sites only.
"""

for name in ("capture", "fill_store", "begin_store"):
    bind(PLAN.graph.stages[name])
