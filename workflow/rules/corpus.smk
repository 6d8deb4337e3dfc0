"""
Text to tokens.
IN   the files of a corpus (csv, jsonl, parquet, text, hub, generated)
OUT  results/{study}/{corpus}/items.parquet      one row an item, with its labels
     results/{study}/{corpus}/set_aside.parquet  rows that cannot be used, with reasons
     results/{study}/{corpus}/corpus.json        counts and warnings
     results/{study}/{corpus}/selection.parquet  the filter
     results/{study}/{corpus}/selection.json     what it keeps, and what its sibling would
     results/{study}/{corpus}/tokens.parquet     one row a model input position
     results/{study}/{corpus}/spans.parquet      texts and edits in the rows
     results/{study}/{corpus}/tokens.json        counts
"""

for name in [
    "items",
    "selection",
    "tokens",
]:
    bind(PLAN.graph.stages[name])
