"""
Layers before any SAE; asked for as `layers`, no part of `all`.
IN   activations of all sites of the grid on the corpora in use, and on those that the config names
     beside (survey: corpora), captured or in a store
OUT  results/{study}/survey/layers.parquet      sum, max, average, norm, anisotropy of a site
     results/{study}/survey/dimensions.parquet  mean and deviation of each dimension, outliers
     results/{study}/survey/pairs.parquet       two corpora compared by these
     results/{study}/survey/passes.parquet      single tokens, to be laid over each other
     results/{study}/survey/base_rates.parquet  how common each topic is in a corpus
     results/{study}/survey.html                all of these as a page, with figures
"""

for name in [
    "survey",
    "base_rates",
    "survey_page",
]:
    bind(PLAN.graph.stages[name])
