"""Tables of clusters by hand, with names like markup."""

import pyarrow as pa

from saegrid.meaning.clusters.tables import DEFINITIONS, SCHEMAS
from saegrid.pages.browser.clustered import clusters_page
from saegrid.pages.browser.clustered_tables import Site
from saegrid.stages.clusters import Settings

FACTS = {
    **{"study": "st<udy", "model": "m", "spec": '{"a": "<b>"}', "corpus": "corp us"},
    "section": Settings().model_dump(mode="json"),
    "definitions": DEFINITIONS,
}
N = 12


def table(name, rows):
    """A table of clusters."""
    return pa.Table.from_pylist(rows, SCHEMAS[name])


def clustering(key, firm, p, **more):
    """A clustering of twelve texts in two clusters, without labels."""
    return {
        **key,
        **{"method": "kmeans", "weighting": "idf", "n": N, "n_columns": 8, "n_flagged": 1},
        **{"n_components": 4, "k": 2, "n_none": 0, "by_rule": True},
        **{"silhouette": 0.5, "silhouette_null": 0.1, "silhouette_p": p},
        **{"stability": 0.9 if firm else 0.4, "stability_low": 0.3, "stability_null": 0.25},
        **{"is_stable": firm, "leader": 7, "leader_share": 0.2, "ari_all": 1.0},
        **more,
    }


def agreement(label, value, p, **more):
    """Columns of agreement with a label."""
    if label is None:
        return {}
    ends = {"_low": value - 0.25, "_high": value + 0.15, "_chance": 0.0, "_chance_top": 0.12}
    return {
        **{"label": label, "ari": value, "ari_p": p},
        **{f"ari{end}": number for end, number in ends.items()},
        **{"nmi": 0.7, "nmi_chance": 0.1, "purity": 0.9, "purity_chance": 0.6},
        **more,
    }


def members(key, label):
    """Members on a line."""
    labels = [label and f"{label} {i % 3}" for i in range(N)]
    return [
        {**key, "member": i, "cluster": i % 2, "label": labels[i], "x": i / 3, "y": -i / 7}
        for i in range(N)
    ]


def clusters(key, named):
    """Two clusters; named: with names."""
    return [
        {
            **key,
            **{"cluster": number, "n": N // 2, "name": "hair, <wig>" if named else None},
            **{"columns": [3, 5], "specificity": [1.5, 0.5], "typical": [0, 2]},
            **{"texts": ["a <b>text", "another"], "label": None, "n_label": None},
        }
        for number in range(2)
    ]


def flag(key, column, reasons, share):
    """A column that is specific to no cluster."""
    rest = {"density": 0.25 if key["cell"] else None, "largest": 0.5, "n_top": 2, "k": 2}
    return {**key, "column": column, "reasons": reasons, "norm_share": share, **rest}


def site(name, firm=True, p=0.048, label="th<em>e"):
    """The tables of a site with a cell of 8x."""
    cell, rows = f"{name}-8x", {one: [] for one in SCHEMAS}
    codes = {"of": "texts", "representation": "codes", "cell": cell}
    x = {"of": "texts", "representation": "x", "cell": None}
    over = {"ari_over_x": 0.5, "ari_over_x_low": 0.2, "ari_over_x_high": 0.8}
    good = agreement(label, 0.75, 0.001 if firm else 0.5, **over)
    for kind, agrees in ((codes, good), (x, agreement(label, 0.25, 0.4))):
        for variant in ("raw", "specific"):
            key = {**kind, "variant": variant}
            raw = {"leader": 447, "leader_share": 0.99} if variant == "raw" else {}
            rows["clusterings"].append(clustering(key, firm, p, **raw) | agrees)
        rows["members"] += members(key, label)
        rows["clusters"] += clusters(key, kind is codes)
        tried = {"silhouette_null": 0.1, "stability": 0.9}
        rows["ks"] += [
            {**key, "k": k, "silhouette": k / 4, "chosen": k == 2, **tried} for k in (2, 3)
        ]
    key = {"of": "features", "representation": "firing", "cell": cell, "variant": "all"}
    rows["clusterings"].append(clustering(key, firm, p))
    rows["members"] += members(key, None)
    rows["clusters"] += clusters(key, True)
    rows["flagged"] += [flag(x, 447, "massive, everywhere", 0.91), flag(codes, 3, "dense", 0.02)]
    return Site(name, *(table(one, rows[one]) for one in SCHEMAS))


def page_of(*sites):
    """The page of these sites."""
    return clusters_page(FACTS, sites)
