"""The page of the map: which cell shows which concept, kinds of features by layer, and search."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from markupsafe import Markup

from saegrid.evidence.records import FROZEN, RESULT
from saegrid.meaning.atlas import Concept, shown
from saegrid.pages.browser import charts
from saegrid.pages.browser.findings import POSITIONS
from saegrid.pages.browser.pack import dumped, packed
from saegrid.pages.browser.render import render_study, require
from saegrid.pages.browser.searched import MOST, Family, Searched, intervals, searched
from saegrid.pages.browser.sentences import (
    NONE,
    Fact,
    Line,
    Number,
    Part,
    Sentence,
    at,
    count,
    is_number,
    p_value,
    percent,
    sentence,
    slug,
)

REQUIRED = ("study", "model", "corpus", "spec")
"""Keys that `facts` must hold."""
SOURCE = "concept_map.json"
LEXICONS = {"wordnet": "WordNet's lexicographers", "categories": "categories"}
"""Titles of lexicons; others have their name."""
CURVES = {
    "n_meaning_grid": ("Meaning", "of a concept, chance counted over all cells"),
    "n_coherent": ("Coherent", "of words near one another, without a concept"),
    "n_form": ("Form", "of one word or piece, a spelling or a place in the text"),
}
"""Counts of kinds_by_cell.parquet that are drawn over layers."""
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
        numbers=[*_numbers(counts), *_searchable(features).values()],
        cells=_cells(facts["corpus"], rows),
        heads=[(name, *words) for name, words in CELLS.items()],
    )


def answers(counts: Mapping[str, Any], features: Searched | None = None) -> list[Line]:
    """The subjects of the features of a study in plain sentences; the first line is the verdict."""
    own = counts[RESULT] or counts[FROZEN] or {}
    family = RESULT if counts[RESULT] else FROZEN

    def n(name: str, form: Any = count) -> Number:
        return number(counts, f"{family}.{name}", form)

    verdict = (
        sentence(n("n_meaning_grid"), " of ", n("n_judged"),
                 _are(own.get("n_meaning_grid")), "about something that can be named.")
        if own.get("n_meaning_grid")
        else sentence("No feature of ", n("n_judged"),
                      " was seen to be about something that can be named.")
    )  # fmt: skip
    lines = [Line("In short", (verdict,))]
    if counts["n_concepts"]:
        named: list[Part] = [
            "Of ", n("n_judged"), " features that fire often enough to be judged (five times at "
            "least, unless `concepts.least` says otherwise), in ",
            n("n_cells"), " SAE" if own.get("n_cells") == 1 else " SAEs", ", ", n("n_meaning"),
            " are of a concept where chance is counted in their own cell, and ",
            n("n_meaning_grid"), " (", quotient(counts, family),
            ") where it is counted over all cells. These are of ", n("n_concepts_grid"),
            " of the ", number(counts, "n_concepts"), " concepts of the lexicons.",
        ]  # fmt: skip
    else:
        named = [
            "The study has no concept: in no lexicon of `concepts.lexicons` is there a concept of "
            "which at least five different words (or as many as `concepts.min_types` says) stand "
            "in these texts. Features are judged by their form and by how near their words "
            "are to one another.",
        ]
    lines.append(Line("Named", (sentence(*named),)))
    lines.append(
        Line(
            "Nameless",
            (
                sentence(
                    n("n_coherent"),
                    " more fire on words that are nearer to one another than chance gives, without "
                    "a concept that names them.",
                ),
            ),
        )
    )
    form = sentence(
        n("n_form"),
        " are of one word, of a piece of words, a spelling or a place in the text, which is no "
        "meaning; ",
        n("n_none"),
        " are of nothing that was seen.",
    )
    lines.append(Line("Form", (form,)))
    if counts["n_concepts"]:
        lines.append(Line("By chance", (_chance(counts, family),)))
    lines.append(Line("Frozen SAEs", (_frozen(counts),)))
    if features is not None:
        lines.append(Line("Search", (_carried(features),)))
    return lines


def _are(n: int | None) -> str:
    return " features is " if n == 1 else " features are "


def _chance(counts: Mapping[str, Any], family: str) -> Sentence:
    """The sentence on dealt lexicons."""

    def n(name: str, form: Any = count) -> Number:
        return number(counts, f"{family}.{name}", form)

    if not is_number(at(counts, f"{family}.level")):
        return sentence(
            "The lexicons were dealt to the words at random ", number(counts, "permutations"),
            " times, too few for a level of ", number(counts, "alpha", percent), ".",
        )  # fmt: skip
    return sentence(
        "The lexicons were dealt to the words at random ", number(counts, "permutations"),
        " times, alike in all cells. A feature counts over all cells where its p is below ",
        n("level", power), ", which ", n("n_reached"),
        " of the deals reached with any feature of any cell; the luckiest had ",
        n("luckiest", power), ", half of them no less than ", n("median", power), ".",
    )  # fmt: skip


def _frozen(counts: Mapping[str, Any]) -> Sentence:
    if not counts[FROZEN]:
        return sentence("Not run: add an SAE with `freeze: decoder` to the grid.")
    parts: list[Part] = [
        "Of ", number(counts, f"{FROZEN}.n_judged"), " features in ",
        number(counts, f"{FROZEN}.n_cells"),
        " SAE" if at(counts, f"{FROZEN}.n_cells") == 1 else " SAEs",
        " of which a part stayed at its random start, ",
        number(counts, f"{FROZEN}.n_meaning_grid"), " (", quotient(counts, FROZEN),
        ") are of a concept, chance counted over these cells",
    ]  # fmt: skip
    if counts[RESULT]:
        parts += ["; of the others it is ", quotient(counts, RESULT)]
    return sentence(*parts, ".")


def _searchable(features: Searched) -> dict[str, Fact]:
    """The rows of the table of numbers that say which features can be searched for."""
    rows = (
        ("n", "features that can be searched for here", "this page"),
        ("n_judged", "features judged, of all cells", "rows of concepts.parquet of all cells"),
        ("n_of_something", "of these of a kind other than none", "kind of the same"),
    )
    return {
        name: Fact(f"n-{name}", words, Number(count(getattr(features, name)), source, f"#n-{name}"))
        for name, words, source in rows
    }


def _carried(features: Searched) -> Sentence:
    """The sentence on the features that can be searched for."""
    n, judged, some = (fact.number or NONE for fact in _searchable(features).values())
    if features.n == features.n_judged:
        return sentence("All ", n, " judged features can be searched for on this page.")
    if features.n <= features.n_of_something:
        return sentence(
            n, " of the ", some, " features that are of anything can be searched for, those with "
            "the smallest p; the others of ", judged, " are on the pages of their cells.",
        )  # fmt: skip
    return sentence(
        n, " of ", judged, " features can be searched for: all ", some, " that are of anything, "
        "and of the others those with the smallest p. The rest are on the pages of their cells.",
    )  # fmt: skip


def number(counts: Mapping[str, Any], path: str, form: Any = count) -> Number:
    """A number of concept_map.json; a dash where it is missing."""
    value = at(counts, path)
    text = form(value) if is_number(value) else NONE
    return Number(text, f"{SOURCE}: {path}", f"#n-{slug(path)}")


def quotient(counts: Mapping[str, Any], family: str) -> Number:
    """The share of the judged features that are of meaning at the level of the grid."""
    above, below = (at(counts, f"{family}.{name}") for name in ("n_meaning_grid", "n_judged"))
    text = percent(above / below) if below else NONE
    path = f"{family}.n_meaning_grid"
    return Number(text, f"{SOURCE}: {path} / {family}.n_judged", f"#n-{slug(path)}")


def power(log10_p: float) -> str:
    """A p by its logarithm."""
    return p_value(10.0**log10_p)


WORDS = {
    "n_cells": ("SAEs", count),
    "n_judged": ("features judged", count),
    "n_meaning": ("of a concept, chance counted in their cell", count),
    "n_meaning_grid": ("of a concept, chance counted over all cells", count),
    "n_concepts_grid": ("concepts that these are of", count),
    "n_coherent": ("of words near one another, without a concept", count),
    "n_form": ("of form", count),
    "n_word": ("of these one word with its compounds", count),
    "n_token": ("of these one piece of different words", count),
    "n_letter": ("of these a first letter", count),
    "n_ending": ("of these an ending", count),
    "n_position": ("of these the first or the last word of a text", count),
    "n_none": ("of nothing that was seen", count),
    "level": ("p that a feature must be below to count over all cells", power),
    "n_reached": ("dealt lexicons that reach this anywhere", count),
    "luckiest": ("smallest p of a dealt lexicon", power),
    "median": ("median of the smallest p of the dealt lexicons", power),
}
"""Numbers of a family of cells: what each is and its form."""


def _numbers(counts: Mapping[str, Any]) -> list[Fact]:
    """The table of numbers."""
    rows = [
        ("alpha", "level, family-wise", percent),
        ("permutations", "dealt lexicons", count),
        (
            "n_concepts",
            "concepts of the lexicons with enough different words in the texts",
            count,
        ),
    ]
    for family, words in ((RESULT, ""), (FROZEN, "frozen SAEs: ")):
        if counts[family]:
            rows += [(f"{family}.{k}", words + what, form) for k, (what, form) in WORDS.items()]
    return [Fact(f"n-{slug(path)}", what, number(counts, path, form)) for path, what, form in rows]


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
    return searched(cells, _titles(of_map), names, most)


def _titles(of_map: pa.Table) -> dict[Concept, str]:
    """Titles by lexicon and name, in the order of the lexicons."""
    columns = (of_map[name].to_pylist() for name in ("lexicon", "concept", "title"))
    return {(lexicon, name): title for lexicon, name, title in zip(*columns, strict=True)}


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Position, then frozen ones last, then the size of the SAE."""
    known = [*POSITIONS, *sorted({row["position"]} - set(POSITIONS))]
    digits = row["sae"].removesuffix("x")
    size = int(digits) if digits.isdigit() else float("inf")
    return known.index(row["position"]), row["frozen"] != "none", size, row["sae"]


def tiles(corpus: str, of_map: pa.Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The maps as the script of the page draws them: one a position and SAE, concepts by lexicon,
    those that most cells show first, and the numbers of each tile by column."""
    titles = _titles(of_map)
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
    """Rows of charts over layers: title, words, and (heading, chart) of each position; none where
    all cells are of one layer."""
    layers = sorted({row["layer"] for row in rows})
    if len(layers) < 2:
        return []
    positions = list(dict.fromkeys(row["position"] for row in sorted(rows, key=_order)))
    groups = []
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
    shares = {}
    for kind in ("concepts", "forms"):
        name = f"share_{kind}"
        shares[kind] = {
            row["cell"]: (100 * row[name], f"{percent(row[name])}")
            for row in rows
            if row[name] is not None and row["frozen"] == "none"
        }
    if shares["concepts"] or shares["forms"]:
        drawn = [
            (
                position,
                _lines(rows, position, shares["concepts"], "concepts ")
                + _lines(rows, position, shares["forms"], "forms ", "rest"),
            )
            for position in positions
        ]
        words = (
            "mean share of the best feature, over the concepts that any cell shows (lines) and "
            "over the first letters and endings that any cell is of (grey)"
        )
        name = "share_concepts, share_forms"
        groups.append(("Concepts against forms", words, name, "mean best share, %", 100, drawn))
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
