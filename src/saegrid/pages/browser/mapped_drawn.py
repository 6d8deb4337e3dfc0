"""The maps and the curves over layers of the page of the map."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from saegrid.meaning.atlas import Concept, shown
from saegrid.pages.browser import charts
from saegrid.pages.browser.findings import POSITIONS
from saegrid.pages.browser.searched import intervals
from saegrid.pages.browser.sentences import percent

LEXICONS = {"wordnet": "WordNet's lexicographers", "categories": "categories"}
"""Titles of lexicons; others have their name."""

CURVES = {
    "n_meaning_grid": ("Meaning", "of a concept, chance counted over all cells"),
    "n_coherent": ("Coherent", "of words near one another, without a concept"),
    "n_form": ("Form", "of one word or piece, a spelling or a place in the text"),
}
"""Counts of kinds_by_cell.parquet that are drawn over layers."""


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Position, then frozen ones last, then the size of the SAE."""
    known = [*POSITIONS, *sorted({row["position"]} - set(POSITIONS))]
    digits = row["sae"].removesuffix("x")
    size = int(digits) if digits.isdigit() else float("inf")
    return known.index(row["position"]), row["frozen"] != "none", size, row["sae"]


def tiles(corpus: str, of_map: pa.Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The maps as the script of the page draws them: one a position and SAE, concepts by lexicon,
    those that most cells show first, and the numbers of each tile by column."""
    titles = titles_of(of_map)
    rank = {concept: place for place, concept in enumerate(shown(of_map))}
    lexicons = list(dict.fromkeys(lexicon for lexicon, _ in titles))
    order = sorted(
        titles,
        key=lambda one: (lexicons.index(one[0]), rank.get(one, len(rank)), titles[one], one[1]),
    )
    place = {concept: number for number, concept in enumerate(order)}
    cells = {row["cell"]: number for number, row in enumerate(rows)}
    layers = sorted({row["layer"] for row in rows})
    maps: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in sorted(rows, key=_order):
        key = row["position"], row["sae"], row["frozen"]
        one = maps.setdefault(
            key,
            {
                "position": POSITIONS.get(row["position"], row["position"]),
                "sae": row["sae"],
                "frozen": row["frozen"],
                "cells": [None] * len(layers),
            },
        )
        one["cells"][layers.index(row["layer"])] = cells[row["cell"]]
    concept = [
        place[one]
        for one in zip(of_map["lexicon"].to_pylist(), of_map["concept"].to_pylist(), strict=True)
    ]
    return {
        "corpus": corpus,
        "layers": layers,
        "cells": [[row["cell"], row["layer"], row["position"], row["sae"]] for row in rows],
        "positions": POSITIONS,
        "maps": list(maps.values()),
        "lexicons": [[name, LEXICONS.get(name, name)] for name in lexicons],
        "concepts": [[*one, titles[one], one in rank] for one in order],
        "tiles": {
            "cell": [cells[name] for name in of_map["cell"].to_pylist()],
            "concept": concept,
            "feature": of_map["feature"].to_pylist(),
            "n": of_map["n_concept"].to_pylist(),
            "n_shown": of_map["n_shown"].to_pylist(),
            "log10_p": [round(value, 3) for value in of_map["log10_p"].to_pylist()],
            "p_grid": [round(value, 6) for value in of_map["p_grid"].to_pylist()],
            "of_meaning": [int(value) for value in of_map["of_meaning"].to_pylist()],
        },
        **intervals(),
    }


def curves(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of charts over layers: title, words, and (heading, chart) of each position that has
    cells of several layers; none where no position has, for a single point is no curve."""
    positions = [
        position
        for position in dict.fromkeys(row["position"] for row in sorted(rows, key=_order))
        if len({row["layer"] for row in rows if row["position"] == position}) > 1
    ]
    if not positions:
        return []
    own = [row for row in rows if row["position"] in positions]
    groups = [*_counts(own, positions), *_shares(own, positions)]
    layers = sorted({row["layer"] for row in own})
    return [
        {
            "title": title,
            "words": words,
            "source": f"kinds_by_cell.parquet: {name}",
            "charts": [
                (
                    POSITIONS.get(position, position),
                    charts.layers(
                        f"{title}, {POSITIONS.get(position, position)}: {words}, over layers",
                        of, layers, top, axis, "ended wide" if "share" in name else "ended",
                    ),
                )
                for position, of in drawn
                if any(curve.values for curve in of)
            ],
        }
        for title, words, name, axis, top, drawn in groups
    ]  # fmt: skip


Group = tuple[str, str, str, str, float, list[tuple[str, list[charts.Curve]]]]
"""A row of charts: title, words, columns, words of the axis, its end, curves by position."""


def _counts(rows: Sequence[Mapping[str, Any]], positions: Sequence[str]) -> list[Group]:
    """The rows of charts of counts of kinds."""
    groups: list[Group] = []
    for name, (title, words) in CURVES.items():
        values = {
            row["cell"]: (
                100 * row[name] / row["n_judged"],
                f"{row[name]:,} of {row['n_judged']:,}",
            )
            for row in rows
            if row["n_judged"]
        }
        top = max((value for value, _ in values.values()), default=0)
        drawn = [(position, _lines(rows, position, values)) for position in positions if top]
        groups.append((title, f"{words}, of 100 judged", name, "of 100 judged", 1.1 * top, drawn))
    return groups


def _shares(rows: Sequence[Mapping[str, Any]], positions: Sequence[str]) -> list[Group]:
    """The row of charts of the shares of concepts and forms; none without any."""
    of = {}
    for kind in ("concepts", "forms"):
        name = f"share_{kind}"
        of[kind] = {
            row["cell"]: (100 * row[name], f"{percent(row[name])}")
            for row in rows
            if row[name] is not None and row["frozen"] == "none"
        }
    if not any(of.values()):
        return []
    drawn = [
        (
            position,
            _lines(rows, position, of["concepts"], "concepts ")
            + _lines(rows, position, of["forms"], "forms ", "rest"),
        )
        for position in positions
    ]
    words = (
        "mean share of the best feature, over the concepts that any cell shows (lines) and "
        "over the first letters and endings that any cell is of (grey)"
    )
    name = "share_concepts, share_forms"
    return [("Concepts against forms", words, name, "mean best share, %", 100, drawn)]


def _lines(
    rows: Sequence[Mapping[str, Any]],
    position: str,
    values: Mapping[str, tuple[float, str]],
    prefix: str = "",
    kind: str = "line",
) -> list[charts.Curve]:
    """A line for each SAE of a position, frozen ones in grey."""
    own = [row for row in sorted(rows, key=_order) if row["position"] == position]
    lines = []
    for number, (sae, frozen) in enumerate(dict.fromkeys((r["sae"], r["frozen"]) for r in own)):
        of = sorted((r for r in own if (r["sae"], r["frozen"]) == (sae, frozen)),
                    key=lambda row: row["layer"])  # fmt: skip
        points = [(r["layer"], *values[r["cell"]]) for r in of if r["cell"] in values]
        if points:
            which = kind if frozen == "none" else "rest"
            lines.append(charts.Curve(f"{prefix}{sae}", points, which, number))
    return lines


def titles_of(of_map: pa.Table) -> dict[Concept, str]:
    """Titles by lexicon and name, in the order of the lexicons."""
    columns = (of_map[name].to_pylist() for name in ("lexicon", "concept", "title"))
    return {(lexicon, name): title for lexicon, name, title in zip(*columns, strict=True)}
