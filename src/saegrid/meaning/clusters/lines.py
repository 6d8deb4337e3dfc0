"""The rows of the tables of clusters, from clusterings and their agreement with labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from saegrid.evidence.clusters.agreement import MEASURES, Agreement
from saegrid.evidence.clusters.clustering import WHOLE, Clustering, Clusterings, Rows
from saegrid.evidence.clusters.method import NOWHERE
from saegrid.evidence.clusters.picture import picture
from saegrid.evidence.intervals import percentiles
from saegrid.meaning.clusters.units import Units

Line = dict[str, Any]
TYPICAL = 4
"""Members of a cluster that are shown."""


def of_clustering(
    one: Clustering, settings: Mapping[str, Any], weighting: str, flagged: int
) -> Line:
    """The numbers of a clustering. flagged: columns that were left out."""
    best = one.chosen.best
    return {
        "method": settings["method"],
        "weighting": weighting,
        "n": len(best.labels),
        "n_columns": one.n_columns,
        "n_flagged": flagged,
        "n_components": one.rows.shape[1],
        "k": best.k,
        "n_none": int((best.labels == NOWHERE).sum()),
        "by_rule": len(one.chosen.tries) > 1,
        "silhouette": number(best.silhouette),
        "silhouette_null": number(best.silhouette_null),
        "silhouette_p": one.chosen.p,
        "stability": best.stability,
        "stability_low": best.stability_low,
        "stability_null": number(one.chosen.stability_null),
        "is_stable": one.chosen.is_stable,
        "leader": one.leader,
        "leader_share": one.leader_share,
    }


def number(value: float) -> float | None:
    """A number; None where it is missing or infinite."""
    return float(value) if np.isfinite(value) else None


def of_agreement(of: Mapping[str, Agreement] | None, label: str | None) -> Line:
    """Columns of agreement with the labels; none without any."""
    if of is None:
        return {}
    row: Line = {"label": label}
    for name in MEASURES:
        one = of[name]
        row |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
        row |= {f"{name}_chance": one.chance, f"{name}_chance_top": one.chance_top}
        row[f"{name}_p"] = one.p
    return row


def over(codes: Agreement, x: Agreement) -> Line:
    """The difference of two agreements with its interval, over the same draws."""
    value = codes.value - x.value
    low, high = percentiles(np.concatenate([[value], codes.draws - x.draws])[None])
    return {
        "ari_over_x": value,
        "ari_over_x_low": float(low[0]),
        "ari_over_x_high": float(high[0]),
    }


def of_numbers(one: Clustering) -> list[Line]:
    """Each number of clusters that was tried."""
    return [
        {
            "k": each.k,
            "silhouette": number(each.silhouette),
            "silhouette_null": number(each.silhouette_null),
            "stability": each.stability,
            "chosen": each is one.chosen.best,
        }
        for each in one.chosen.tries
    ]


def of_members(
    one: Clustering,
    members: Sequence[int],
    labels: Sequence[str | None],
    settings: Mapping[str, Any],
) -> list[Line]:
    """Each row with its cluster and its place in the picture."""
    with threadpool_limits(1):
        place = picture(one.rows, settings["picture"], settings["seed"])
    names = ("member", "cluster", "label", "x", "y")
    columns = (members, one.labels.tolist(), labels, place[:, 0].tolist(), place[:, 1].tolist())
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def of_flags(of: Clusterings, rows: Rows) -> list[Line]:
    """The columns that are specific to no cluster."""
    flags, k = of.flags, of.of[WHOLE].chosen.best.k
    return [
        {
            "column": int(rows.ids[j]),
            "reasons": ", ".join(flags.reasons[j]),
            "density": None if rows.density is None else float(rows.density[j]),
            "norm_share": float(flags.norm_share[j]),
            "largest": number(flags.largest[j]),
            "n_top": int(flags.n_top[j]),
            "k": k,
        }
        for j in np.flatnonzero(flags.is_flagged)
    ]


def typical(one: Clustering, cluster: int) -> list[int]:
    """Members of a cluster nearest to its centre, ties by their place."""
    own = np.flatnonzero(one.labels == cluster)
    apart = np.square(one.rows[own] - one.rows[own].mean(axis=0)).sum(axis=1)
    return own[np.argsort(apart, kind="stable")[:TYPICAL]].tolist()


def commonest(one: Clustering, cluster: int, units: Units) -> Line:
    """The commonest label of a cluster, the first of equal ones."""
    if units.labels is None:
        return {}
    counts = np.bincount(units.labels[one.labels == cluster], minlength=len(units.names))
    return {"label": units.names[int(counts.argmax())], "n_label": int(counts.max())}
