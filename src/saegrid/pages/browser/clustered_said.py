"""The sentences of the page of clusters; each number knows the table that it is from."""

from collections.abc import Mapping, Sequence
from typing import Any

from saegrid.pages.browser.reported import number, two
from saegrid.pages.browser.sentences import (
    Line,
    Part,
    Sentence,
    Term,
    count,
    listed,
    p_value,
    percent,
    span,
)
from saegrid.pages.browser.sentences import sentence as said

LEVEL = 0.05
SENTENCES = 6
"""Cells that have a sentence; the others stand in the table."""
RULE = "specific"

Row = Mapping[str, Any]


def texts_of(rows: Sequence[Row], representation: str, variant: str = RULE) -> list[Row]:
    """Rows of clusterings.parquet of texts by a representation."""
    return [
        row
        for row in rows
        if (row["of"], row["representation"], row["variant"]) == ("texts", representation, variant)
    ]


def is_distinct(row: Row) -> bool:
    """True where clusters are firm and more distinct than those of shuffled rows."""
    return bool(row["is_stable"]) and row["silhouette_p"] <= LEVEL


def agrees(row: Row, tests: int) -> bool:
    """True where clusters agree with the labels beyond chance, by Bonferroni over some tests."""
    return row["ari_p"] is not None and row["ari_p"] <= LEVEL / max(tests, 1)


def source(row: Row, name: str) -> str:
    """File, row and column of a number."""
    return f"{row['site']}/clusterings.parquet: {name}, {row['representation']} {row['variant']}"


def of(row: Row, name: str, form: Any = two) -> Part:
    """A number of a row."""
    return number(row[name], source(row, name), form)


def verdict(rows: Sequence[Row]) -> Sentence:
    """The clusters of all cells in one sentence: firm or not, and agreeing with labels or not."""
    codes, x = texts_of(rows, "codes"), texts_of(rows, "x")
    firm = [row for row in codes if is_distinct(row)]
    parts: list[Part] = [
        "Texts form firm clusters by SAE codes in ",
        number(len(firm), "clusterings.parquet: is_stable, silhouette_p of codes", _count),
        f" of {len(codes)} {_many(codes, 'cell')}",
    ]
    label = codes[0]["label"] if codes else None
    if label is None:
        return said(*parts, ".")
    known = [sum(agrees(row, len(some)) for row in some) for some in (codes, x)]
    file = "clusterings.parquet: ari_p of"
    return said(
        *parts,
        "; they agree with ",
        Term(label),
        " beyond chance in ",
        number(known[0], f"{file} codes", _count),
        ", clusters by raw activations in ",
        number(known[1], f"{file} x", _count),
        f" of {len(x)} {_many(x, 'site')}.",
    )


def _count(value: int) -> str:
    return count(value) if value else "none"


def _many(rows: Sequence[Row], name: str) -> str:
    return name if len(rows) == 1 else f"{name}s"


def lines(rows: Sequence[Row], flagged: Sequence[Row]) -> list[Line]:
    """The page in a few lines, with a sentence of each of the first cells."""
    codes, x = texts_of(rows, "codes")[:SENTENCES], texts_of(rows, "x")[:SENTENCES]
    out = [Line("How many", tuple(map(how_many, codes)))]
    if codes and codes[0]["label"]:
        out.append(Line("Labels", tuple(map(labels, codes))))
        out.append(Line("Activations", tuple(map(activations, x))))
    out.append(Line("Not specific", not_specific(rows, flagged)))
    features = [row for row in rows if row["of"] == "features"][:SENTENCES]
    if features:
        out.append(Line("Features", tuple(map(of_features, features))))
    return out


def how_many(row: Row) -> Sentence:
    """Number of clusters, how firm they are, and both beside shuffled rows."""
    is_firm = "firm" if row["is_stable"] else "not firm"
    return said(
        f"{row['cell']}: ",
        of(row, "k", count),
        f" clusters of {row['n']:,} texts, {is_firm}: drawn again they agree by ",
        of(row, "stability"),
        " (shuffled rows: ",
        of(row, "stability_null"),
        "). Silhouette ",
        of(row, "silhouette"),
        ", shuffled ",
        of(row, "silhouette_null"),
        ", p\u00a0",
        of(row, "silhouette_p", p_value),
        ".",
    )


def ari(row: Row) -> list[Part]:
    """The adjusted Rand index with its interval, and chance."""
    return [
        "ARI ",
        of(row, "ari"),
        " (",
        *span(of(row, "ari_low"), of(row, "ari_high")),
        "; 95 % of shuffled labels below ",
        of(row, "ari_chance_top"),
        ", p\u00a0",
        of(row, "ari_p", p_value),
        ")",
    ]


def labels(row: Row) -> Sentence:
    """Agreement with the labels, beside chance and activations."""
    parts: list[Part] = [
        f"{row['cell']} with ",
        Term(row["label"]),
        ": ",
        *ari(row),
        ", purity ",
        of(row, "purity"),
    ]
    parts += [" (chance ", of(row, "purity_chance"), ")"]
    if row["ari_over_x"] is not None:
        parts += ["; ARI less that of activations ", of(row, "ari_over_x"), " ("]
        parts += [*span(of(row, "ari_over_x_low"), of(row, "ari_over_x_high")), ")"]
    return said(*parts, ".")


def activations(row: Row) -> Sentence:
    """Number of clusters by raw activations, the baseline, and their agreement with labels."""
    parts = [f"{row['site']}, raw activations by the same protocol: ", of(row, "k", count)]
    return said(*parts, " clusters, ", *ari(row), ".")


def not_specific(rows: Sequence[Row], flagged: Sequence[Row]) -> tuple[Sentence, ...]:
    """Columns that were left out, and the one that would have decided."""
    massive = [row for row in flagged if "massive" in row["reasons"]]
    file = "flagged.parquet: reasons"
    first = said(
        number(len(flagged), file),
        " features and dimensions are large in all clusters or dense, and were left out; ",
        number(len(massive), file),
        " of them massive",
        *(
            [": ", *listed([_massive(row) for row in massive[:5]])]
            if massive
            else [", with a tenth or more of the squared norm of a site"]
        ),
        ".",
    )
    raw = [row for row in texts_of(rows, "x", "raw") if row["leader_share"] is not None]
    if not raw:
        return (first,)
    top = max(raw, key=lambda row: row["leader_share"])
    return (
        first,
        said(
            f"With activations as they are, dimension {top['leader']} of {top['site']} holds ",
            of(top, "leader_share", percent),
            " of what separates clusters; no other dimension of a site holds more.",
        ),
    )


def _massive(row: Row) -> list[Part]:
    where = row["cell"] or row["site"]
    share = number(row["norm_share"], "flagged.parquet: norm_share", percent)
    return [f"{row['column']} of {where} with ", share]


def of_features(row: Row) -> Sentence:
    """Clusters of the features of a cell."""
    how = "where they fire" if row["representation"] == "firing" else "where they point"
    return said(
        f"{row['cell']}: ",
        of(row, "n", count),
        f" features by {how} form ",
        of(row, "k", count),
        " clusters, silhouette ",
        of(row, "silhouette"),
        " (shuffled ",
        of(row, "silhouette_null"),
        "), stability ",
        of(row, "stability"),
        " (shuffled ",
        of(row, "stability_null"),
        ").",
    )
