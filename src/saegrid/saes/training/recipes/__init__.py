"""Ways to train, one file each; `saegrid.saes.training.RECIPES` names them."""
