"""The clusters of a site: of texts by codes of each cell and by activations, and of features."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from saegrid.evidence.clusters.agreement import Agreement, agreement, pair
from saegrid.evidence.clusters.clustering import (
    AS_MANY,
    RAW,
    SPECIFIC,
    WHOLE,
    Clusterings,
    Rows,
    check,
    clustering,
    clusterings,
    rules_of,
)
from saegrid.evidence.clusters.specific import by_cluster, top_of
from saegrid.evidence.probes.material import Activations
from saegrid.meaning.clusters import lines, named
from saegrid.meaning.clusters.rows import (
    CODES,
    RELATIONS,
    Cell,
    X,
    most_active,
    of_activations,
    of_codes,
)
from saegrid.meaning.clusters.tables import SCHEMAS
from saegrid.meaning.clusters.units import Units, activations_of

TEXTS, FEATURES = "texts", "features"
FEWEST = 2
"""Features that must fire on enough texts for clusters by codes."""
TOP = 8
"""Features of a cluster that are shown and named by."""

Tables = dict[str, list[lines.Line]]
Agreements = Mapping[str, Mapping[str, Agreement]]
"""By variant and measure."""


class Named(NamedTuple):
    """Words, concepts and a namer, by which clusters are named."""

    words: named.Words
    concepts: Mapping[str, Mapping[int, Mapping[str, Any]]]
    """By cell, rows of concepts.parquet by feature."""
    namer: Mapping[str, Any]
    answers: str
    """Folder of the answers of models."""


class Site(NamedTuple):
    """All that clusters of a site are made from, and the tables as they fill."""

    units: Units
    by: Named
    settings: Mapping[str, Any]
    """The section `clusters` of the config."""
    out: Tables

    def add(self, table: str, key: lines.Line, rows: Sequence[lines.Line]) -> None:
        """Add rows to a table."""
        self.out[table] += [key | row for row in rows]

    @property
    def limits(self) -> tuple[int, float, float]:
        """Components, and limits of dense and massive columns."""
        return tuple(self.settings[name] for name in ("components", "dense", "massive"))


def of_site(
    units: Units,
    activations: Sequence[Activations],
    cells: Sequence[Cell],
    by: Named,
    settings: Mapping[str, Any],
) -> Tables:
    """The tables of a site, rows by table name; see `tables.SCHEMAS`.

    Unusable where there are too few texts. A cell whose features fire on too few has no rows.
    """
    check(units.n, settings["k"])
    site = Site(units, by, settings, {name: [] for name in SCHEMAS})
    x = of_activations(activations_of(units, activations), units)
    beside = _texts(site, x, None, None)
    for cell in cells:
        rows = of_codes(units, cell.features, settings["weighting"])
        if len(rows.ids) < FEWEST:
            print(f"{cell.name}: {len(rows.ids)} features fire on enough texts, no clusters")
            continue
        _texts(site, rows, cell, beside)
        for relation in settings["features"]:
            _features(site, relation, cell)
    return site.out


def _agreements(site: Site, of: Clusterings) -> Agreements:
    """Agreement with the labels; empty where there are none."""
    units, settings = site.units, site.settings
    if units.labels is None:
        return {}
    how = (settings["intervals"], settings["permutations"], settings["seed"])
    return {
        name: agreement(one.labels, units.labels, units.original, *how)
        for name, one in of.of.items()
    }


def _texts(site: Site, rows: Rows, cell: Cell | None, beside: Agreements | None) -> Agreements:
    """Cluster the texts by the codes of a cell, or by activations, and add rows to the tables.

    beside: agreement of the clusters of activations. Returns the agreement of these ones.
    """
    units, settings = site.units, site.settings
    many = None if units.labels is None else len(units.names)
    of = clusterings(rows, rules_of(settings), *site.limits, many)
    agrees = _agreements(site, of)
    key = {
        "of": TEXTS,
        "representation": CODES if cell else X,
        "cell": cell.name if cell else None,
    }
    labels: list[str | None] = [None] * units.n
    if units.labels is not None:
        labels = [units.names[i] for i in units.labels.tolist()]
    for variant, one in of.of.items():
        own = key | {"variant": variant}
        left = variant in (SPECIFIC, AS_MANY)
        weighting = "none" if variant == RAW else rows.weighting
        flagged = int(of.flags.is_flagged.sum()) if left else 0
        row = lines.of_clustering(one, settings, weighting, flagged)
        row["ari_all"] = pair(one.labels, of.of[WHOLE].labels)
        row |= lines.of_agreement(agrees.get(variant), settings["label"])
        if beside:
            row |= lines.over(agrees[variant]["ari"], beside[variant]["ari"])
        site.add("clusterings", own, [row])
        site.add("ks", own, lines.of_numbers(one))
        members = lines.of_members(one, units.item.tolist(), labels, settings)
        site.add("members", own, members)
    site.add("flagged", key, lines.of_flags(of, rows))
    _clusters(site, key | {"variant": SPECIFIC}, of, rows, cell)
    return agrees


def _clusters(site: Site, key: lines.Line, of: Clusterings, rows: Rows, cell: Cell | None) -> None:
    """Add the clusters of texts with their features, typical texts and names; clusters of
    activations have no name, since a dimension has no words."""
    units, one = site.units, of.of[SPECIFIC]
    kept = of.kept
    means = by_cluster(rows.columns[:, kept], one.labels)
    scores = means.specificity()
    top = top_of(scores, means.mean, TOP)
    subjects, table = [], []
    for cluster in range(one.chosen.best.k):
        own = top[cluster][top[cluster] >= 0]
        ids, near = rows.ids[kept][own].tolist(), lines.typical(one, cluster)
        table.append(
            {
                "cluster": cluster,
                "n": int((one.labels == cluster).sum()),
                "columns": ids,
                "specificity": scores[cluster, own].tolist(),
                "typical": units.item[near].tolist(),
                "texts": [units.texts[i] for i in near],
                **lines.commonest(one, cluster, units),
            }
        )
        if cell:
            inside = one.labels[units.view.item] == cluster
            subjects.append(_subject(site, cluster, ids, cell, inside))
    site.add("clusters", key, _with_names(site, table, subjects))


def _subject(
    site: Site, cluster: int, ids: Sequence[int], cell: Cell, inside: np.ndarray
) -> named.Subject:
    """A cluster that is to be named. inside: (entry of the view,) bool tokens that count."""
    view, words = site.units.view, site.by.words
    unit_of = np.full(len(words.row), -1)
    unit_of[view.token[inside]] = view.item[inside]
    return named.subject(
        cluster, ids, cell.features, words, unit_of, site.by.concepts.get(cell.name, {})
    )


def _with_names(
    site: Site, table: list[lines.Line], subjects: Sequence[named.Subject]
) -> list[lines.Line]:
    """Clusters with their names, where there is anything to name them by."""
    if not subjects:
        return table
    answers = named.names(subjects, site.by.namer, site.by.answers)
    return [
        line | {"name": answer.value, "why": answer.why}
        for line, answer in zip(table, answers, strict=True)
    ]


def _features(site: Site, relation: str, cell: Cell) -> None:
    """Cluster the features of a cell by a relation, and add rows to the tables; nothing where too
    few features fire."""
    settings, units = site.settings, site.units
    ids = most_active(units, cell.features, settings["dense"], settings["most_features"])
    if len(ids) < 2 * min(settings["feature_ks"]):
        return
    columns = RELATIONS[relation](cell, ids, units)
    rows = Rows(columns, np.arange(columns.shape[1]), np.arange(len(ids)), "none")
    rules = rules_of(settings, k=None, ks=settings["feature_ks"])
    with threadpool_limits(1):
        one = clustering(rows, WHOLE, rules, settings["components"])
    key = {"of": FEATURES, "representation": relation, "cell": cell.name, "variant": WHOLE}
    no_leader = {"leader": None, "leader_share": None}
    site.add("clusterings", key, [lines.of_clustering(one, settings, "none", 0) | no_leader])
    site.add("ks", key, lines.of_numbers(one))
    site.add("members", key, lines.of_members(one, ids.tolist(), [None] * len(ids), settings))
    subjects, table = [], []
    everywhere = np.ones(len(units.view.item), bool)
    for cluster in range(one.chosen.best.k):
        near = ids[lines.typical(one, cluster)].tolist()
        n = int((one.labels == cluster).sum())
        table.append({"cluster": cluster, "n": n, "columns": near, "typical": near})
        subjects.append(_subject(site, cluster, near, cell, everywhere))
    site.add("clusters", key, _with_names(site, table, subjects))
