"""
What features do: they are clamped while the model writes, and the texts are read.
IN   codes, activations and SAE of a cell, tokens of the main corpus, the model
OUT  steering_choice.parquet, steering.parquet, steering_texts.parquet and steering_summary.parquet of each
     cell; steering.html of the study
Made where the config has `analyses: {steering: {...}}`.
"""

for name in ("steering", "steering_page"):
    bind(PLAN.graph.stages[name])
