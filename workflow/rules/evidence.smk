"""
Whether features tell texts apart: contrasts tested over the grid, and the page that says it.
IN   codes of every cell, items, tokens and spans of the corpora that the tests name, surprisal of the words
OUT  analysis_plan.json, tests.json, tests.parquet, discoveries.parquet and findings.html of the study,
     nuisances.parquet of each corpus, contrasts.parquet, maxima.safetensors and tests.parquet of each cell
Made where the config has `analyses: {tests: {...}}`. The search of a cell is a job of its own; thresholds are
those of all cells, so that a new cell makes the study's tables again and no other cell's search.
"""

for name in ("nuisances", "analysis_plan", "contrasts", "tests", "findings"):
    bind(PLAN.graph.stages[name])
