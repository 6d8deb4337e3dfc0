"""
Text to tokens.
IN   the files of a corpus (csv, jsonl, parquet, text, hub, generated)
OUT  items, filter, tokens, spans and words in results/{study}/{corpus}/
"""

for name in ("items", "selection", "tokens", "vocabulary"):
    bind(PLAN.graph.stages[name])
