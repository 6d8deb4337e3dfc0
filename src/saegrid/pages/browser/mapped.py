"""The page of the map: which cell shows which concept, kinds of features by layer, and search."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from saegrid.evidence.records import FROZEN, RESULT
from saegrid.pages.browser.mapped_drawn import curves, tiles, titles_of
from saegrid.pages.browser.mapped_said import answers, numbers, searchable
from saegrid.pages.browser.pack import dumped, packed
from saegrid.pages.browser.render import render_study, require
from saegrid.pages.browser.searched import MOST, Family, Searched, searched
from saegrid.pages.browser.sentences import (
    NONE,
    count,
    percent,
)

REQUIRED = ("study", "model", "corpus", "spec")
"""Keys that `facts` must hold."""
CELLS: dict[str, tuple[str, str]] = {
    "n_judged": ("judged", "features that fire often enough to judge what they are about"),
    "n_meaning": ("meaning", "features of a concept, chance counted in the cell"),
    "n_meaning_grid": ("in the grid", "of these where chance is counted over all cells"),
    "n_coherent": ("coherent", "features of words near one another, without a concept"),
    "n_word": ("one word", "features of one word with its compounds"),
    "n_token": ("one piece", "features of one piece of different words"),
    "n_letter": ("letter", "features of a first letter"),
    "n_ending": ("ending", "features of an ending"),
    "n_position": ("place", "features of the first or the last word of a text"),
    "n_none": ("nothing", "features of nothing that was seen"),
    "n_concepts_grid": (
        "concepts",
        "concepts that it shows where chance is counted over all cells",
    ),
    "share_concepts": ("share, concepts", "best share, mean over the concepts that any cell shows"),
    "share_forms": ("share, forms", "best share, mean over the letters and endings of any cell"),
}
"""Columns of kinds_by_cell.parquet that the table of cells has: heading and definition."""


def map_page(
    facts: Mapping[str, Any],
    counts: Mapping[str, Any],
    of_map: pa.Table,
    by_cell: pa.Table,
    concepts: Sequence[tuple[str, pa.Table]],
    names: Mapping[str, pa.Table] | None = None,
    most: int = MOST,
) -> str:
    """The text of map.html. The same arguments give the same bytes.

    facts: study, model, corpus, spec, and where known `title` and `more` (name: value).
    counts, of_map, by_cell: concept_map.json, concept_map.parquet, kinds_by_cell.parquet.
    concepts: cell and its concepts.parquet, of every cell. names: names and labels of features
    by cell, with columns feature and name, where there are any. most: features that can be
    searched for.
    """
    require(facts, REQUIRED, "The facts of a page of the map")
    rows = by_cell.to_pylist()
    features = _features(counts, of_map, rows, concepts, names, most)
    opening, *lines = answers(counts, features)
    return render_study(
        "map.html.jinja",
        facts,
        f"{facts['study']}: map",
        named=[row["cell"] for row in rows],
        verdict=opening.sentences[0],
        lines=lines,
        counts=counts,
        n_concepts=counts["n_concepts"],
        features=features,
        tiles=Markup(packed(dumped(tiles(facts["corpus"], of_map, rows)))),
        charts=curves(rows),
        numbers=[*numbers(counts), *searchable(features).values()],
        cells=_cells(facts["corpus"], rows),
        heads=[(name, *words) for name, words in CELLS.items()],
    )


def _features(
    counts: Mapping[str, Any],
    of_map: pa.Table,
    rows: Sequence[Mapping[str, Any]],
    concepts: Sequence[tuple[str, pa.Table]],
    names: Mapping[str, pa.Table] | None,
    most: int,
) -> Searched:
    """The features that can be searched for; cells are in the order of kinds_by_cell.parquet."""
    chance = {family: (counts[family] or {}).get("smallest", []) for family in (RESULT, FROZEN)}
    tables = dict(concepts)
    cells = []
    for row in rows:
        smallest = chance[RESULT if row["frozen"] == "none" else FROZEN]
        cells.append((Family(row["cell"], np.array(smallest)), tables[row["cell"]]))
    return searched(cells, titles_of(of_map), names, most)


def _cells(corpus: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The table of cells."""
    lines = []
    for row in rows:
        name = row["cell"]
        if row["frozen"] != "none":
            name += f" (frozen {row['frozen']})"
        entries = []
        for column in CELLS:
            value = row[column]
            text = NONE if value is None else percent(value) if "share" in column else count(value)
            entries.append((text, "" if value is None else value))
        lines.append(
            {
                "name": name,
                "href": f"{quote(corpus)}/cells/{quote(row['cell'])}/features.html",
                "order": f"{row['layer']:05d}{row['position']}{row['sae']}",
                "entries": entries,
            }
        )
    return lines
