"""Baselines: other descriptions of activations. A new one is one file here and one line below."""

BASELINES = {
    "pca": "saegrid.metrics.baselines.pca:pca",
    "ica": "saegrid.metrics.baselines.ica:ica",
    "nmf": "saegrid.metrics.baselines.nmf:nmf",
    "neurons": "saegrid.metrics.baselines.neurons:neurons",
    "random": "saegrid.metrics.baselines.dictionary:dictionary",
}
"""Baselines by name, each a function of a `saegrid.metrics.baselines.fit.Fit` and a list of
`fit.Wanted` that yields a `fit.Described` for each."""
