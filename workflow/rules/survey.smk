"""
Layers before any SAE; asked for as `layers`, no part of `all`.
IN   activations of all sites of the grid on the corpora in use, and on those that the config names beside
OUT  results/{study}/survey/, survey.html; of the analysis hooks, which reports on what a model writes,
     hooks/ and report.html
"""

for name in (
    "survey",
    "base_rates",
    "survey_page",
    "hooks",
    "hooks_clamps",
    "hooks_report",
):
    bind(PLAN.graph.stages[name])
