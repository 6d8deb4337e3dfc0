"""The protocol of a clustering: weights, reduction, number of clusters, columns that decide.

The same for codes and activations. Rows are clustered with columns as they are, with weights, and
with weights but without the columns that are flagged as specific to no cluster.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from saegrid.base.registry import pick
from saegrid.evidence.clusters import METHODS, WEIGHTINGS
from saegrid.evidence.clusters.number import Chosen, Rules, choose
from saegrid.evidence.clusters.reduced import reduced
from saegrid.evidence.clusters.specific import Flagged, by_cluster, flagged
from saegrid.evidence.clusters.weighting import Columns, Weighting, weighted
from saegrid.evidence.contrast import LEAST, Unusable

RAW, WHOLE, SPECIFIC, AS_MANY = "raw", "all", "specific", "as many"
VARIANTS = {
    RAW: "columns as they are, all of them",
    WHOLE: "columns with weights, all of them",
    SPECIFIC: "columns with weights, without those that are specific to no cluster",
    AS_MANY: "the same, with as many clusters as there are labels",
}
"""Clusterings of the same rows, in words."""
KEY = "analyses.clusters"


class Rows(NamedTuple):
    """Rows that are clustered."""

    columns: Columns
    """(row, column) float64."""
    ids: np.ndarray
    """(column,) ids of features or dimensions."""
    original: np.ndarray
    """(row,) what each is an edit or a sample of."""
    weighting: str
    density: np.ndarray | None = None
    """(column,) share of tokens on which a feature fires; None where columns are no features."""


class Clustering(NamedTuple):
    """A clustering of rows."""

    variant: str
    chosen: Chosen
    rows: np.ndarray
    """(row, component) float64 reduced."""
    n_columns: int
    leader: int
    """Id of the column that holds most of the distance between clusters."""
    leader_share: float
    """Its share, of the columns as they were clustered."""

    @property
    def labels(self) -> np.ndarray:
        """(row,) int64 clusters, -1 in none."""
        return self.chosen.best.labels


class Clusterings(NamedTuple):
    """The clusterings of the same rows."""

    of: Mapping[str, Clustering]
    """By variant."""
    flags: Flagged

    @property
    def kept(self) -> np.ndarray:
        """(kept,) places of the columns that are not flagged, of all where all are."""
        kept = np.flatnonzero(~self.flags.is_flagged)
        return kept if len(kept) else np.arange(len(self.flags.reasons))


def rules_of(settings: Mapping[str, object], **more: object) -> Rules:
    """The rules of a clustering by the settings of the analysis; ValueError for an unknown
    method."""
    method = pick(METHODS, str(settings["method"]), f"{KEY}.method:")
    names = ("k", "least", "draws", "nulls", "stable", "seed")
    return Rules(method, **({name: settings[name] for name in names} | more))  # type: ignore


def check(n: int, k: int | None, what: str = "texts") -> None:
    """Unusable where there are too few rows for clusters, or more clusters than rows."""
    if n < LEAST:
        raise Unusable(
            f"{KEY}: there are {n} {what} to be clustered; at least {LEAST} are needed. Name more "
            "texts, or leave clusters out."
        )
    if k is not None and k >= n:
        raise Unusable(
            f"{KEY}.k: {k} clusters are more than {n} {what} can fill. Set k below {n}, or leave "
            "it out."
        )


def clusterings(
    rows: Rows,
    rules: Rules,
    components: int,
    dense: float,
    massive: float,
    many: int | None = None,
) -> Clusterings:
    """The clusterings of rows, with the columns that are specific to none of the clusters.

    dense, massive: limits of `specific.flagged`. many: number of labels, None where there are none.
    Everything runs in one thread, so that the bytes do not depend on their number.
    """
    with threadpool_limits(1):
        whole = clustering(rows, WHOLE, rules, components)
        flags = flagged(rows.columns, whole.labels, rows.density, dense, massive)
        plain = clustering(rows._replace(weighting="none"), RAW, rules, components)
        out = Clusterings({RAW: plain, WHOLE: whole}, flags)
        rest = rows._replace(
            columns=rows.columns[:, out.kept],
            ids=rows.ids[out.kept],
            density=None if rows.density is None else rows.density[out.kept],
        )
        of = {**out.of, SPECIFIC: whole._replace(variant=SPECIFIC)}
        if flags.is_flagged.any():
            of[SPECIFIC] = clustering(rest, SPECIFIC, rules, components)
        if many is not None and many < len(rows.original) and rules.method.counted:
            of[AS_MANY] = clustering(rest, AS_MANY, rules._replace(k=many), components)
    return Clusterings(of, flags)


def clustering(rows: Rows, variant: str, rules: Rules, components: int) -> Clustering:
    """A clustering of rows by one weighting."""
    weighting: Weighting = pick(WEIGHTINGS, rows.weighting, "Weighting")
    density = np.ones(len(rows.ids)) if rows.density is None else rows.density
    columns = weighted(rows.columns, density, weighting)
    low = reduced(columns, components)
    if not low.shape[1]:
        raise Unusable(
            f"{KEY}: all {low.shape[0]} rows are the same, so that there are no clusters. Name "
            "other texts, or a cell whose features fire on them."
        )
    chosen = choose(low, rows.original, rules)
    between = by_cluster(columns, chosen.best.labels).between()
    leader = int(between.argmax())
    share = float(between[leader] / between.sum()) if between.sum() > 0 else 0.0
    return Clustering(variant, chosen, low, len(rows.ids), int(rows.ids[leader]), share)
