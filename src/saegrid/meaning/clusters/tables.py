"""The tables of clusters, with the definitions of their columns."""

import pyarrow as pa

from saegrid.evidence.clusters.agreement import MEASURES

TEXT, NUMBER, COUNT = pa.string(), pa.float64(), pa.int32()
KEYS = [("of", TEXT), ("representation", TEXT), ("cell", TEXT), ("variant", TEXT)]
ENDS = ("", "_low", "_high", "_chance", "_chance_top", "_p")
CLUSTERINGS = pa.schema(
    [
        *KEYS,
        *((name, TEXT) for name in ("method", "weighting")),
        *((name, COUNT) for name in ("n", "n_columns", "n_flagged", "n_components", "k", "n_none")),
        ("by_rule", pa.bool_()),
        *((name, NUMBER) for name in ("silhouette", "silhouette_null", "silhouette_p")),
        *((name, NUMBER) for name in ("stability", "stability_low", "stability_null")),
        ("is_stable", pa.bool_()),
        ("leader", COUNT),
        ("leader_share", NUMBER),
        ("ari_all", NUMBER),
        ("label", TEXT),
        *((f"{name}{end}", NUMBER) for name in MEASURES for end in ENDS),
        *((f"ari_over_x{end}", NUMBER) for end in ENDS[:3]),
    ]
)
KS = pa.schema(
    [
        *KEYS,
        ("k", COUNT),
        *((name, NUMBER) for name in ("silhouette", "silhouette_null", "stability")),
        ("chosen", pa.bool_()),
    ]
)
CLUSTERS = pa.schema(
    [
        *KEYS,
        ("cluster", COUNT),
        ("n", COUNT),
        ("name", TEXT),
        ("why", TEXT),
        ("columns", pa.list_(COUNT)),
        ("specificity", pa.list_(NUMBER)),
        ("typical", pa.list_(COUNT)),
        ("texts", pa.list_(TEXT)),
        ("label", TEXT),
        ("n_label", COUNT),
    ]
)
MEMBERS = pa.schema(
    [*KEYS, ("member", COUNT), ("cluster", COUNT), ("label", TEXT), ("x", NUMBER), ("y", NUMBER)]
)
FLAGGED = pa.schema(
    [
        *KEYS[:3],
        ("column", COUNT),
        ("reasons", TEXT),
        ("density", NUMBER),
        ("norm_share", NUMBER),
        ("largest", NUMBER),
        ("n_top", COUNT),
        ("k", COUNT),
    ]
)
SCHEMAS = {
    "clusterings": CLUSTERINGS,
    "ks": KS,
    "clusters": CLUSTERS,
    "members": MEMBERS,
    "flagged": FLAGGED,
}
"""Tables of a site by name."""
DEFINITIONS = {
    "of": "what is clustered: texts or features",
    "representation": "codes (largest activation of each feature on a text), x (mean activation of "
    "its tokens); of features: firing (on which tokens they fire), decoder (where they point)",
    "variant": "raw: columns as they are; all: with weights; specific: with weights, without the "
    "columns that are flagged; as many: the same with as many clusters as labels",
    "n": "rows that were clustered",
    "n_none": "rows that are in no cluster",
    "k": "clusters",
    "by_rule": "their number was chosen by the rule",
    "silhouette": "mean over rows of (b - a) / max(a, b), a the mean distance to the own cluster, "
    "b to the nearest other one",
    "silhouette_null": "its mean over rows of which each component was shuffled by itself",
    "silhouette_p": "(1 + shuffles whose largest silhouette over all numbers of clusters is as "
    "large) / (1 + shuffles)",
    "stability": "mean adjusted Rand index of the clusters of 80 % of the originals with those of "
    "all; stability_low: its 5th percentile; stability_null: that of shuffled rows",
    "is_stable": "it reaches the limit `stable`",
    "leader": "column that adds most to the distance between clusters, leader_share: its share of "
    "the sum over columns of n_c (mean_c - mean)^2",
    "ari_all": "adjusted Rand index with the clusters of the variant all",
    "ari": "adjusted Rand index with the labels, 0 by chance, 1 where they are the same",
    "nmi": "normalised mutual information with the labels, 2 I / (H + H)",
    "purity": "share of the texts whose label is the commonest of their cluster",
    "ari_chance": "mean over shuffled labels, with ari_chance_top, its 95th percentile, and ari_p; "
    "likewise of nmi and purity; ari_low, ari_high: 95 % interval over draws of whole originals",
    "ari_over_x": "ari of codes less that of activations, with its interval over the same draws",
    "specificity": "(mean in the cluster - mean over all) / pooled sd, of the columns of `columns`",
    "typical": "items, or features, nearest to the centre of the cluster",
    "norm_share": "share of the squared norm of all columns that one holds",
    "largest": "largest specificity over clusters of the variant all",
    "n_top": "clusters in which it is one of the five largest means, of k",
}
