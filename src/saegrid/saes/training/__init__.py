"""The training of SAEs. A new recipe is one file in `recipes` and one line below."""

RECIPES = {
    "batchtopk": "saegrid.saes.training.recipes.batchtopk:RECIPE",
    "jumprelu": "saegrid.saes.training.recipes.jumprelu:RECIPE",
    "jumprelu_tanh": "saegrid.saes.training.recipes.jumprelu_tanh:RECIPE",
    "relu_kl": "saegrid.saes.training.recipes.relu_kl:RECIPE",
    "relu_l1": "saegrid.saes.training.recipes.relu_l1:RECIPE",
    "scaling": "saegrid.saes.training.recipes.scaling:RECIPE",
    "tied": "saegrid.saes.training.recipes.tied:RECIPE",
    "topk": "saegrid.saes.training.recipes.topk:RECIPE",
    "topk_relu": "saegrid.saes.training.recipes.topk_relu:RECIPE",
}
"""Recipes by name, each a `saegrid.saes.training.recipe.Recipe` that imports without torch."""
