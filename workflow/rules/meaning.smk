"""
What features are about: names with their scores, and labels that people gave.
IN   codes of a cell, items, tokens and selection of the main corpus; tests of the cell where there are some
OUT  names.parquet, names_contexts.parquet, labels.parquet and labels_agreement.parquet of each cell;
     answers of models in results/{study}/answers, which no rule removes
"""

for name in ("names",):
    bind(PLAN.graph.stages[name])
