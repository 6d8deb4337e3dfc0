"""
What people look at.
IN   the tables of all cells and of the corpus
OUT  results/{study}/{corpus}/cells/{cell}/features.html  the feature browser of a cell
     results/{study}/summary.parquet                      one row a cell; refuses stale cells
     results/{study}/index.html                           the grid, with links
     results/{study}/figures/{figure}.svg                 the plots
"""

for name in [
    "page",
    "summary",
    "plot",
    "index",
]:
    bind(PLAN.graph.stages[name])
