"""
What features do: attribution on the choice of a word, with true ablation beside it; features clamped while
the model writes.
IN   tokens, spans, items and selection of the main corpus, the cell's SAE, its codes and activations, the model
OUT  attribution.parquet, attribution_examples.parquet, attribution_prompts.parquet, ablation.parquet and
     agreement.parquet of each cell; steering_choice.parquet, steering.parquet, steering_texts.parquet and
     steering_summary.parquet of each cell, and steering.html of the study
Made where the config has `analyses: {attribution: {...}}` or `analyses: {steering: {...}}`.
"""

for name in ("attribution", "steering", "steering_page"):
    bind(PLAN.graph.stages[name])
