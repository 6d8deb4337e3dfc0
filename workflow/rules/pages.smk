"""
What people look at.
IN   the tables of all cells on each corpus, and of the corpora
OUT  features.html of each cell, summary.parquet, summary_by_corpus.parquet, index.html and figures of the study,
     concept_map.parquet, kinds_by_cell.parquet, concept_map.json and map.html
Pages and figures are those of the main corpus; summary_by_corpus.parquet is of studies with a holdout or
reference corpus, whose numbers stand on the index beside those of the main one.
"""

for name in (
    "page",
    "summary",
    "summary_by_corpus",
    "concept_map",
    "map",
    "plot",
    "index",
):
    bind(PLAN.graph.stages[name])
