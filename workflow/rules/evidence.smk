"""
Whether features tell texts apart: contrasts tested over the grid, and the page that says it.
IN   codes of every cell, items, tokens and spans of the corpora that the tests name, surprisal of the words
OUT  analysis_plan.json, tests.json, tests.parquet, discoveries.parquet and findings.html of the study,
     nuisances.parquet of each corpus, contrasts.parquet, maxima.safetensors and tests.parquet of each cell
     of probes: {corpus}/probes/, probes_summary.parquet and probes.json
Made where the config has `analyses: {tests: {...}}`. The search of a cell is a job of its own; thresholds are
those of all cells, so that a new cell makes the study's tables again and no other cell's search.
With `analyses: {filling: {...}}` the model fills edited words in while confirmed features are turned up:
filling.json, filling.parquet and filling_texts.parquet of the study.
Classifiers (`analyses: {probes: {...}}`) take the texts that the plan of the tests says, a job a site.
"""

for name in (
    "nuisances",
    "analysis_plan",
    "contrasts",
    "tests",
    "concept_effects",
    "themes",
    "filling",
    "probes_texts",
    "probes",
    "probes_summary",
    "findings",
):
    bind(PLAN.graph.stages[name])
