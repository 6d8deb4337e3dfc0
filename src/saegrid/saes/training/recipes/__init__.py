"""The recipes, one file each; `saegrid.saes.training.RECIPES` names them."""
