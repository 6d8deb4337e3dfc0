"""The map of a study: how well every cell shows every concept, and what chance gives over cells.

A cell is judged with chance counted over its own features and concepts (`concepts`). The map counts
it over all cells as well: the same lexicons are dealt to the word types in every cell, so that the
smallest p of a dealt lexicon over cells is one draw of the smallest p of the grid. Cells whose SAE
is frozen are a family of their own, since they are a null.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.base import io
from saegrid.base.words import Cell
from saegrid.evidence.intervals import exact
from saegrid.evidence.records import FROZEN, RESULT
from saegrid.meaning.by_concept import BEST
from saegrid.meaning.enrichment import EVEN, adjusted

Concept = tuple[str, str]
"""Lexicon and name of a concept."""
FORMS = ("word", "token", "letter", "ending", "position")
"""Kinds of features of form."""
KINDS = ("meaning", "coherent", *FORMS, "none")
"""Kinds of features."""
MAP = pa.schema(
    [
        ("cell", pa.string()),
        ("layer", pa.int32()),
        ("position", pa.string()),
        ("sae", pa.string()),
        ("frozen", pa.string()),
        *BEST,
        ("p_grid", pa.float64()),
        ("of_meaning", pa.bool_()),
    ]
)
"""Columns of concept_map.parquet, one row a concept and cell: those of concept_best.parquet.

p_grid: family-wise over the features and concepts of all cells of a family; of_meaning: the feature
is of meaning, of this concept, and p_grid is at most alpha. frozen: the part of the SAE that stayed
at its random start, none of most. Concepts of two lexicons may have one name.
"""
BY_CELL = pa.schema(
    [
        ("cell", pa.string()),
        ("layer", pa.int32()),
        ("position", pa.string()),
        ("sae", pa.string()),
        ("frozen", pa.string()),
        ("n_judged", pa.int32()),
        *((f"n_{kind}", pa.int32()) for kind in KINDS),
        ("n_form", pa.int32()),
        ("n_meaning_grid", pa.int32()),
        ("n_concepts", pa.int32()),
        ("n_concepts_grid", pa.int32()),
        ("share_concepts", pa.float64()),
        ("share_forms", pa.float64()),
    ]
)
"""Columns of kinds_by_cell.parquet, one row a cell.

n_judged: features judged; n_meaning to n_none: of each kind; n_form: of one word to position.
n_meaning_grid: features of meaning whose p, family-wise over all cells, is at most alpha.
n_concepts, n_concepts_grid: concepts of which the cell has a feature of meaning, at its own level
and at the grid's. share_concepts: the share of the best feature, mean over the concepts that any
cell shows at the grid's level; share_forms: likewise over the first letters and endings that some
feature of the grid is of. Both are means over the same things in all cells, 0 counting where a cell
has no such feature; null where the grid shows none.
"""


class Charted(NamedTuple):
    """The tables of a cell."""

    cell: str
    frozen: str
    """The part of its SAE that stayed at its random start, or none."""
    concepts: pa.Table
    best: pa.Table
    smallest: np.ndarray
    """(permutation,) float64 smallest log10 p under dealt lexicons."""

    @property
    def family(self) -> str:
        """The cells that chance is counted over together with this one."""
        return RESULT if self.frozen == "none" else FROZEN


class Atlas(NamedTuple):
    """The tables of a study."""

    map: pa.Table
    by_cell: pa.Table
    facts: dict[str, Any]


def atlas(cells: Sequence[Charted], alpha: float) -> Atlas:
    """The map of a study, of cells in any order; rows are by layer, position and SAE."""
    cells = sorted(cells, key=lambda one: _place(one.cell))
    chances = chances_of(cells)
    of_map = concept_map(cells, chances, alpha)
    by_cell = kinds_by_cell(cells, of_map, chances, alpha)
    return Atlas(of_map, by_cell, facts(of_map, by_cell, chances, alpha))


def chances_of(cells: Iterable[Charted]) -> dict[str, np.ndarray]:
    """(permutation,) the smallest log10 p of each dealt lexicon over the cells of each family."""
    chances: dict[str, np.ndarray] = {}
    for one in cells:
        before = chances.setdefault(one.family, one.smallest)
        if len(before) != len(one.smallest):
            raise ValueError(
                f"Cell {one.cell} has {len(one.smallest)} dealt lexicons, others have "
                f"{len(before)}: all cells must be judged by the same `concepts.permutations`."
            )
        chances[one.family] = np.minimum(before, one.smallest)
    return chances


def level(smallest: np.ndarray, alpha: float) -> float | None:
    """The log10 p that a feature must be below for a family-wise p of at most alpha; None where
    there are too few permutations.

    p = (b + 1) / (n + 1) where b of n dealt lexicons are as small, so that b <= alpha (n + 1) - 1.
    """
    most = int(np.floor(alpha * (len(smallest) + 1) + 1e-9)) - 1
    return float(np.sort(smallest)[most]) if 0 <= most < len(smallest) else None


def concept_map(cells: Iterable[Charted], chances: dict[str, np.ndarray], alpha: float) -> pa.Table:
    """concept_map.parquet. chances: see `chances_of`."""
    tables = []
    for one in cells:
        n = one.best.num_rows
        p = adjusted(one.best["log10_p"].to_numpy(), chances[one.family])
        is_own = one.best["n_meaning"].to_numpy() > 0
        columns = {
            **{name: pa.array([value] * n) for name, value in _named(one).items()},
            **{name: one.best[name] for name in BEST.names},
            "p_grid": p,
            "of_meaning": is_own & (p <= alpha),
        }
        tables.append(pa.table({name: columns[name] for name in MAP.names}).cast(MAP))
    return pa.concat_tables(tables).combine_chunks() if tables else MAP.empty_table()


def kinds_by_cell(
    cells: Sequence[Charted], of_map: pa.Table, chances: dict[str, np.ndarray], alpha: float
) -> pa.Table:
    """kinds_by_cell.parquet. of_map: see `concept_map`."""
    concepts = shown(of_map)
    forms = sorted({form for one in cells if one.frozen == "none" for form in _forms_of(one)})
    shares: dict[str, dict[Concept, float]] = {}
    for cell, concept, share in zip(
        of_map["cell"].to_pylist(), _concepts(of_map), of_map["share"].to_pylist(), strict=True
    ):
        shares.setdefault(cell, {})[concept] = share
    lines = []
    for one in cells:
        kind = np.array(one.concepts["kind"].to_pylist(), object)
        of = _concepts(one.concepts)
        is_meaning = kind == "meaning"
        log10_p = one.concepts["log10_p"].to_numpy()
        at_grid = is_meaning & (adjusted(log10_p, chances[one.family]) <= alpha)
        counts = {name: int((kind == name).sum()) for name in KINDS}
        best_forms = _best_forms(one.concepts)
        lines.append(
            {
                **_named(one),
                "n_judged": len(kind),
                **{f"n_{name}": n for name, n in counts.items()},
                "n_form": sum(counts[name] for name in FORMS),
                "n_meaning_grid": int(at_grid.sum()),
                "n_concepts": len({of[row] for row in np.flatnonzero(is_meaning)}),
                "n_concepts_grid": len({of[row] for row in np.flatnonzero(at_grid)}),
                "share_concepts": _mean(shares.get(one.cell, {}), concepts),
                "share_forms": _mean(best_forms, forms),
            }
        )
    return pa.Table.from_pylist(lines, BY_CELL)


def shown(of_map: pa.Table) -> list[Concept]:
    """The concepts that some cell of which nothing is frozen shows at the grid's level, those that
    most cells show first."""
    rows = of_map.filter(pc.and_(of_map["of_meaning"], pc.equal(of_map["frozen"], "none")))
    counts = Counter(_concepts(rows))
    return sorted(counts, key=lambda concept: (-counts[concept], concept))


def _concepts(table: pa.Table) -> list[Concept]:
    return list(zip(table["lexicon"].to_pylist(), table["concept"].to_pylist(), strict=True))


def facts(
    of_map: pa.Table, by_cell: pa.Table, chances: dict[str, np.ndarray], alpha: float
) -> dict[str, Any]:
    """The counts of the study, of cells of which nothing is frozen (`result`) and of the frozen
    ones, which are null where there are none.

    level: the log10 p that features must be below to count over all cells of the family; smallest:
    those of the dealt lexicons, with the luckiest and the median; n_reached: dealt lexicons under
    which any feature of any cell is below the level.
    """
    rows = by_cell.to_pylist()
    of_family: dict[str, Any] = {}
    for family in (RESULT, FROZEN):
        own = [row for row in rows if (row["frozen"] == "none") == (family == RESULT)]
        smallest = chances.get(family)
        if not own or smallest is None:
            of_family[family] = None
            continue
        names = {row["cell"] for row in own}
        of_own = of_map.filter(pc.is_in(of_map["cell"], pa.array(sorted(names), pa.string())))
        least = level(smallest, alpha)
        of_family[family] = {
            "n_cells": len(own),
            **{
                name: sum(row[name] for row in own)
                for name in BY_CELL.names
                if name.startswith("n_") and "concepts" not in name
            },
            "n_concepts_grid": len(set(_concepts(of_own.filter(of_own["of_meaning"])))),
            "level": least,
            "luckiest": float(smallest.min()) if len(smallest) else None,
            "median": float(np.median(smallest)) if len(smallest) else None,
            "smallest": sorted(smallest.tolist()),
            "n_reached": None if least is None else int((smallest < least - EVEN).sum()),
        }
    return {
        "alpha": alpha,
        "permutations": max((len(one) for one in chances.values()), default=0),
        "n_concepts": len(set(_concepts(of_map))),
        **of_family,
    }


def _named(one: Charted) -> dict[str, Any]:
    return {**Cell.parse(one.cell).columns(), "frozen": one.frozen}


def _place(cell: str) -> tuple[int, str, str]:
    parsed = Cell.parse(cell)
    return parsed.site.layer, parsed.site.position, parsed.sae


def _mean(shares: dict[Any, float], of: Sequence[Any]) -> float | None:
    return float(np.mean([shares.get(one, 0.0) for one in of])) if of else None


def _forms_of(one: Charted) -> set[tuple[str, str]]:
    """The first letters and endings that features of a cell are of."""
    columns = (one.concepts[name].to_pylist() for name in ("kind", "letter", "ending"))
    return {
        (kind, letter if kind == "letter" else ending)
        for kind, letter, ending in zip(*columns, strict=True)
        if kind in ("letter", "ending")
    }


def _best_forms(concepts: pa.Table) -> dict[tuple[str, str], float]:
    """The share of the feature that shows each first letter and ending best: of those whose
    commonest one it is, by the lower end of the share's interval."""
    best: dict[tuple[str, str], tuple[float, float]] = {}
    n_shown = concepts["n_shown"].to_numpy()
    for kind in ("letter", "ending"):
        n = concepts[f"n_{kind}"].to_numpy()
        low, _ = exact(n, n_shown)
        share = n / np.maximum(n_shown, 1)
        names = concepts[kind].to_pylist()
        for name, *figures in zip(names, low.tolist(), share.tolist(), strict=True):
            if name:
                best[kind, name] = max(best.get((kind, name), (0.0, 0.0)), tuple(figures))
    return {form: share for form, (_, share) in best.items()}


def read_charted(
    cells: Iterable[Sequence[str]],
    concepts: Iterable[str],
    best: Iterable[str],
    chance: Iterable[str],
) -> list[Charted]:
    """The tables of cells from their files. cells: name, and what is frozen in it."""
    return [
        Charted(
            *cell,
            io.read_table(one),
            io.read_table(of_concepts),
            io.read_table(dealt)["log10_p"].to_numpy(),
        )
        for cell, one, of_concepts, dealt in zip(cells, concepts, best, chance, strict=True)
    ]
