"""
What features are about: names with their scores, labels that people gave, and answers to queries.
IN   codes of a cell, items, tokens and selection of the main corpus; tests of the cell where there are some
OUT  names.parquet, names_contexts.parquet, labels.parquet and labels_agreement.parquet of each cell;
     answers of models in results/{study}/answers, which no rule removes
     of search: search.parquet, search_tokens.parquet and search.html of the study, from the codes and SAEs of all
     cells and, where prompts are asked for, the model
     of clusters: clusterings.parquet, ks.parquet, clusters.parquet, members.parquet and flagged.parquet of each
     site, from its activations and the codes of its cells, and clusters.html of the study
"""

for name in ("names", "search", "clusters", "clusters_page"):
    bind(PLAN.graph.stages[name])
