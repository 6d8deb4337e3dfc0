"""
What features do: attribution on the choice of a word, and true ablation beside it.
IN   tokens, spans, items and selection of the main corpus, the cell's SAE, the model
OUT  attribution.parquet, attribution_examples.parquet, attribution_prompts.parquet, ablation.parquet and
     agreement.parquet of each cell
"""

for name in ("attribution",):
    bind(PLAN.graph.stages[name])
