"""The metrics of SAEs. A new family is one file here and one line below."""

METRICS = {
    "reconstruction": "saegrid.metrics.reconstruction:Reconstruction",
    "sparsity": "saegrid.metrics.sparsity:Sparsity",
    "latents": "saegrid.metrics.latents:Latents",
    "tops": "saegrid.metrics.tops:TopTokens",
    "decoder": "saegrid.metrics.decoder:Decoder",
    "spliced": "saegrid.metrics.spliced:Spliced",
}
"""Metrics by name, each a `saegrid.metrics.metric.Metric`, in the order in which they are
written."""
