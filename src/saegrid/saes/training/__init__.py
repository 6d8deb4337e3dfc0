"""Training of SAEs. A new recipe is one file here and one line below."""

RECIPES = {
    "jumprelu": "saegrid.saes.training.jumprelu:RECIPE",
    "topk": "saegrid.saes.training.topk:RECIPE",
}
"""Each is a `saegrid.saes.training.loop.Recipe`."""
