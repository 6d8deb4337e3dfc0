"""
What can be asked for by name: corpus, activations, saes, cells, metrics, pages, figures, layers (all is in the
Snakefile).
estimate makes nothing: what the run would read, write, hold and take is said at the start.
Every stage file of every cell is a target, so that a lost or failed one is made again.
"""


localrules:
    corpus,
    activations,
    saes,
    cells,
    metrics,
    pages,
    figures,
    layers,
    estimate,


rule corpus:
    input:
        lambda wildcards: PLAN.corpus_targets(),


rule activations:
    input:
        lambda wildcards: PLAN.activation_targets(),


rule saes:
    input:
        lambda wildcards: PLAN.sae_targets(),


rule cells:
    input:
        lambda wildcards: PLAN.cell_targets(),


rule metrics:
    input:
        lambda wildcards: PLAN.metric_targets(),


rule pages:
    input:
        lambda wildcards: PLAN.page_targets(),


rule figures:
    input:
        lambda wildcards: PLAN.figure_targets(),


rule layers:
    input:
        lambda wildcards: PLAN.survey_targets(),


rule estimate:
    # The table is printed by `announce`, before any job.
    input:
        [],
