"""
SAEs of the grid.
IN   activations of a corpus (of role train, main or reference), or a checkpoint that stays where it is
OUT  results/{study}/saes/{cell}/: a trained SAE, or a reference with the norms of the decoder
A checkpoint from the hub is fetched when the activations that it will encode are there, and the stages that
read it come before the import of other cells (`priority`), so that it is fetched once and may then be deleted.
Jobs with one ask for the resource `hub`: a profile may limit how many there are at a time.
"""

for name in ("train_together", "train_sae", "import_sae"):
    bind(PLAN.graph.stages[name])
