"""Clusters of texts and of features: their number, how firm they are, what tells them apart.

Rows are texts by codes of an SAE or by activations, or features by where they fire or point. All go
the same way: weights of columns (`weightings`), a truncated SVD (`reduced`), a method (`methods`),
a number of clusters by a rule (`number`), agreement with labels (`agreement`), and the columns that
are specific to a cluster or to none (`specific`).
"""

METHODS = {
    "kmeans": "saegrid.evidence.clusters.methods.kmeans:KMEANS",
    "hdbscan": "saegrid.evidence.clusters.methods.hdbscan:HDBSCAN",
}
"""Methods by name, each a `method.Method`."""
WEIGHTINGS = {
    "none": "saegrid.evidence.clusters.weightings.none:NONE",
    "standard": "saegrid.evidence.clusters.weightings.standard:STANDARD",
    "idf": "saegrid.evidence.clusters.weightings.idf:IDF",
}
"""Weights of columns by name, each a `weighting.Weighting`."""
