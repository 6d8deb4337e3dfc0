"""Baselines: other ways to describe activations. A new one is one file here and one line below."""

BASELINES = {
    "pca": "saegrid.metrics.baselines.pca:pca",
    "ica": "saegrid.metrics.baselines.ica:ica",
    "nmf": "saegrid.metrics.baselines.nmf:nmf",
    "neurons": "saegrid.metrics.baselines.neurons:neurons",
    "random": "saegrid.metrics.baselines.dictionary:dictionary",
}
"""Each is a function of a `saegrid.metrics.baselines.fit.Fit` and a list of what is wanted
(`fit.Wanted`) that yields a `fit.Described` each."""
