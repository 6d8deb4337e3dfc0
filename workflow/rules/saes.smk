"""
SAEs of the grid.
IN   results/{study}/{corpus}/activations/{capture}{shard}/{site}.safetensors of a corpus of role train,
     or a checkpoint that stays where it is
OUT  results/{study}/saes/{cell}/cfg.json, sae_weights.safetensors, history.parquet   trained
     results/{study}/saes/store/{site}-{together}.json   that cells have been trained together
     results/{study}/saes/{cell}/reference.json, decoder_norms.safetensors   imported
A checkpoint from the hub is fetched when the activations that it will encode are there, and the
stages that read it come before the import of other cells (`priority`), so that it is fetched once
and may then be deleted. Trainings under way, and those of cells trained together, are kept in the
folder `store`: a killed one goes on, and a change of one member trains that one alone.
Jobs with a checkpoint from the hub ask for the resource `hub`: a profile may limit how many there
are at a time.
"""

for name in [
    "train_together",
    "train_sae",
    "import_sae",
]:
    bind(PLAN.graph.stages[name])
