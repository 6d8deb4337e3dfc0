"""
Text to tokens.
IN   the files of a corpus (csv, jsonl, parquet, text, hub, generated)
OUT  items, filter, tokens and spans in results/{study}/{corpus}/
"""

for name in ("items", "selection", "tokens"):
    bind(PLAN.graph.stages[name])
