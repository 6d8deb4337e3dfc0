"""The page of clusters: how many, how firm, whether they agree with labels, by what they differ.

Every number comes from a table of the study, which is named beside it.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from saegrid.pages.browser import clustered_charts, clustered_said
from saegrid.pages.browser.clustered_tables import Site, rows_of
from saegrid.pages.browser.render import Column, render_study, require

REQUIRED = ("study", "model", "spec", "corpus", "section", "definitions")
"""Keys that `facts` must hold."""
PARTS = 30
"""Clusterings whose clusters stand on the page; the others stand in the tables."""
VARIANTS = {"raw": "as they are", "all": "weighted", "specific": "specific", "as many": "as many"}
COLUMNS = (
    Column("where", "of"),
    Column("variant", "columns", "", "as they are; weighted; weighted and without flagged ones; "
           "the same with as many clusters as labels"),
    Column("k", "clusters", "{:,}"),
    Column("n_none", "in none", "{:,}", "texts in no cluster"),
    Column("stability", "stability", "{:.2f}", "ARI of the clusters of 80 % with those of all"),
    Column("stability_null", "shuffled", "{:.2f}", "stability of shuffled rows"),
    Column("silhouette", "silhouette", "{:.3f}"),
    Column("silhouette_null", "shuffled", "{:.3f}", "silhouette of shuffled rows"),
    Column("leader_share", "leader", "{:.0%}", "share that one column has in the distance "
           "between clusters, the largest"),
)  # fmt: skip
LABELS = (
    Column("ari", "ARI", "{:.3f}", "adjusted Rand index with the labels"),
    Column("interval", "95 % interval", "", "over draws of whole originals"),
    Column("ari_chance_top", "chance", "{:.3f}", "95th percentile over shuffled labels"),
    Column("ari_p", "p", "{:.3f}"),
    Column("nmi", "NMI", "{:.3f}"),
    Column("nmi_chance", "chance", "{:.3f}", "mean over shuffled labels"),
    Column("purity", "purity", "{:.3f}"),
    Column("purity_chance", "chance", "{:.3f}", "mean over shuffled labels"),
)


def clusters_page(facts: Mapping[str, Any], sites: Sequence[Site]) -> str:
    """The text of clusters.html. The same arguments give the same bytes.

    facts: study, model, spec, corpus (its name), section (analyses.clusters), definitions (words by
    column), and where known `title`.
    """
    require(facts, REQUIRED, "The facts of a page of clusters")
    rows = rows_of(sites, "clusterings")
    flagged = rows_of(sites, "flagged")
    parts = [part for site in sites for part in parts_of(facts, site)]
    return render_study(
        "clusters.html.jinja",
        facts,
        f"{facts['study']}: clusters",
        named=[row["cell"] for row in rows if row["cell"]] + [row["site"] for row in rows],
        verdict=clustered_said.verdict(rows),
        lines=clustered_said.lines(rows, flagged),
        columns=columns_of(rows),
        rows=[entry_of(row) for row in rows if row["of"] == "texts"],
        parts=parts[:PARTS],
        n_more=len(parts[PARTS:]),
        definitions=list(facts["definitions"].items()),
    )


def columns_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The columns that say something: labels where there are some, and texts in no cluster."""
    own = tuple(one for one in COLUMNS if one.name != "n_none" or any(r["n_none"] for r in rows))
    return own + (LABELS if any(row["label"] for row in rows) else ())


def entry_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A clustering as a row of the table."""
    low, high = row["ari_low"], row["ari_high"]
    interval = None if low is None else f"{low:.3f} to {high:.3f}".replace("-", "−")
    where = row["cell"] or f"{row['site']}, activations"
    return {**row, "where": where, "variant": VARIANTS[row["variant"]], "interval": interval}


def parts_of(facts: Mapping[str, Any], site: Site) -> list[dict[str, Any]]:
    """The parts of the page that are of a site: each representation and relation."""
    tables = {name: getattr(site, name).to_pylist() for name in Site._fields[1:]}
    return [
        part_of(facts, site.name, row, tables)
        for row in sorted(tables["clusterings"], key=_order)
        if row["variant"] == "specific" or row["of"] == "features"
    ]


def _order(row: Mapping[str, Any]) -> tuple[bool, bool, str]:
    """Texts by codes first, then features, then activations."""
    return row["cell"] is None, row["of"] == "features", row["cell"] or ""


def part_of(
    facts: Mapping[str, Any],
    site: str,
    row: Mapping[str, Any],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """A clustering with its picture, its clusters and the columns that were left out."""
    key = tuple(row[name] for name in ("of", "representation", "cell", "variant"))

    def own(table: str) -> list[Mapping[str, Any]]:
        names = ("of", "representation", "cell", "variant")
        return [one for one in tables[table] if tuple(one[name] for name in names) == key]

    members, clusters = own("members"), own("clusters")
    heads = [(one["cluster"], heading(one)) for one in clusters]
    labels = sorted({one["label"] for one in members if one["label"] is not None})
    cell = row["cell"]
    flags = [
        one
        for one in tables["flagged"]
        if (one["of"], one["representation"], one["cell"]) == key[:3]
    ]
    return {
        "anchor": f"{row['of']}-{row['representation']}-{cell or site}",
        "title": title_of(row, site),
        "row": row,
        "site": site,
        "page": f"{quote(facts['corpus'])}/cells/{quote(cell)}/features.html" if cell else None,
        "panels": clustered_charts.panels(members, heads, "cluster"),
        "labels": clustered_charts.panels(members, [(one, one) for one in labels], "label"),
        "numbers": clustered_charts.numbers(own("ks")),
        "clusters": clusters,
        "flagged": sorted(flags, key=lambda one: -one["norm_share"]),
    }


def heading(cluster: Mapping[str, Any]) -> str:
    """Number and name of a cluster."""
    number = f"{cluster['cluster'] + 1}"
    return f"{number}: {cluster['name']}" if cluster["name"] else number


def title_of(row: Mapping[str, Any], site: str) -> str:
    """The name of a clustering in plain words."""
    if row["of"] == "features":
        how = {"firing": "where they fire", "decoder": "where they point"}
        return f"Features of {row['cell']}, by {how[row['representation']]}"
    return f"Texts by the codes of {row['cell']}" if row["cell"] else f"Texts by {site} itself"
