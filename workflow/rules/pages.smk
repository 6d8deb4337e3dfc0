"""
What people look at.
IN   the tables of all cells and of the corpus
OUT  features.html of each cell, summary.parquet, index.html and figures of the study
"""

for name in ("page", "summary", "plot", "index"):
    bind(PLAN.graph.stages[name])
