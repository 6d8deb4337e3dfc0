"""One row a cell: what the tables of all cells come to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pyarrow as pa

from saegrid.base import io
from saegrid.base.digest import digest as digest_of
from saegrid.base.recorded import recorded_spec
from saegrid.base.words import Cell

FORMS = ("word", "token", "letter", "ending", "position")
"""Kinds of features that no meaning is claimed of."""


JUDGED = ["feature", "kind", "concept", "share_low"]
"""Columns of concepts.parquet that a summary reads."""


class StaleCell(ValueError):
    """A file of a cell that was made with other settings than those of this run."""


def check_specs(folder: Path, expected: Mapping[str, str]) -> None:
    """StaleCell where a file of a cell's folder does not record the spec that it must have.

    expected: file name to digest of the spec.
    """
    for name, digest in expected.items():
        if digest_of(recorded_spec(folder / name) or "") != digest:
            raise StaleCell(
                f"{folder / name} was made with other settings than this run's, or copied here. "
                "Delete it and run again."
            )


def best_features(judged: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The feature that shows each concept best, by concept, in alphabetical order: of the features
    of that concept the one whose share has the highest lower end; ties by id.

    judged: rows of concepts.parquet with the columns `JUDGED`.
    """
    own = [row for row in judged if row["kind"] == "meaning"]
    own.sort(key=lambda row: (row["concept"], -row["share_low"], row["feature"]))
    best: dict[str, int] = {}
    for row in own:
        best.setdefault(row["concept"], row["feature"])
    return best


def cell_row(
    folder: Path, cuts: Sequence[float], columns: Sequence[Sequence[str]] = ()
) -> dict[str, Any]:
    """The numbers of the cell whose tables lie in `folder`.

    columns: name, function `package.module:name` from a table to a number, file of the table.
    """
    cell = Cell.parse(folder.name)
    facts = io.table_facts(folder / "features.parquet")
    density = io.read_table(folder / "features.parquet", ["density"])["density"].to_numpy()
    judged = io.read_table(folder / "concepts.parquet", JUDGED).to_pylist()
    kinds = Counter(row["kind"] for row in judged)
    best = best_features(judged)
    return {
        **cell.columns(),
        **facts,
        **{f"n_above_{cut:g}": int((density >= cut).sum()) for cut in cuts},
        "n_judged": len(judged),
        "n_meaning": kinds["meaning"],
        "n_coherent": kinds["coherent"],
        "n_form": sum(kinds[kind] for kind in FORMS),
        "n_concepts": len(best),
        "concepts": list(best),
        "best_features": list(best.values()),
        **{name: resolve_name(of)(io.read_table(folder / file)) for name, of, file in columns},
    }


def summary(
    root: Path,
    expected: Mapping[str, Mapping[str, str]],
    cuts: Sequence[float],
    columns: Sequence[Sequence[str]] = (),
) -> pa.Table:
    """One row a cell, by layer, position and SAE.

    Columns: cell, layer, position, sae, the facts of its densities (see `density.facts`),
    n_above_{cut} (features of at least that density), n_judged (features with words enough to
    be judged), n_meaning (features of a concept), n_coherent (of words near one another, without a
    concept), n_form (of one word, one piece, a spelling or a place in the text), n_concepts,
    concepts (those that features are of) and best_features (the one that shows each best).

    Args:
        root: the folder that holds the cells' folders.
        expected: of each cell, the digests of the specs that its files must record.
        cuts: densities.
        columns: further numbers, as in `cell_row`.

    Raises:
        StaleCell: where a file records another spec.
    """
    for cell, digests in expected.items():
        check_specs(root / cell, digests)
    ordered = sorted(expected, key=Cell.parse)
    return pa.Table.from_pylist([cell_row(root / cell, cuts, columns) for cell in ordered])


def with_shares(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a summary with the shares of masked tokens that its densities are."""
    shares = {}
    for name in ("median", "max"):
        density = row[f"{name}_density"]
        share = None if density is None else density * row["n_tokens"] / row["n_masked"]
        shares[f"{name}_share"] = share
    return {**row, **shares}


def by_corpus(
    main: pa.Table,
    root: Path,
    corpora: Sequence[tuple[str, str]],
    expected: Mapping[str, Mapping[str, Mapping[str, str]]],
    cuts: Sequence[float],
    columns: Sequence[Sequence[str]] = (),
) -> pa.Table:
    """One row a cell and corpus: the rows of a cell stand together, in the order of `corpora`.

    Columns: corpus, role, those of `summary`, null where a corpus lacks the table that a further
    column is read from, and median_share and max_share of the active features: active masked tokens
    / masked tokens. Densities of pairs divide by all tokens, of which only those of the edit can be
    masked, and so do not compare with those of plain text; shares do.

    Args:
        main: the summary of the main corpus.
        root: the folder that holds the corpora's folders.
        corpora: name and role of each, the main one first.
        expected: of each other corpus, as in `summary`.
        cuts: densities.
        columns: further numbers, as in `cell_row`.

    Raises:
        StaleCell: where a file records another spec.
    """
    (first, _), *others = corpora
    tables = {first: {row["cell"]: row for row in main.to_pylist()}}
    for corpus, _ in others:
        files = {name for digests in expected[corpus].values() for name in digests}
        present = [column for column in columns if column[2] in files]
        table = summary(root / corpus / "cells", expected[corpus], cuts, present)
        tables[corpus] = {row["cell"]: row for row in table.to_pylist()}
    rows = [
        {"corpus": corpus, "role": role, **with_shares(tables[corpus][cell])}
        for cell in tables[first]
        for corpus, role in corpora
    ]
    return pa.Table.from_pylist(rows)
