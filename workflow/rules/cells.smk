"""
Activations to sparse features, densities and examples, one job a stage and cell.
IN   activations of the cell's site, the cell's SAE, tokens and selection of the corpus
OUT  the tables in results/{study}/{corpus}/cells/{cell}/
Cells of which published pages are all that is known come from these instead (import_dashboards); where the
config has `analyses: {published: {...}}` the features of such pages are looked for among those of each cell.
"""

for name in (
    "import_dashboards",
    "encode",
    "merge",
    "density",
    "top_tokens",
    "concepts",
    "logit_effects",
    "kin",
    "published",
    "published_summary",
):
    bind(PLAN.graph.stages[name])


if PLAN.corpora.in_shards():

    # Of a corpus in shards encode makes the parts and merge the whole.
    ruleorder: merge > encode
