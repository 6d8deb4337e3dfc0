"""What figures are drawn from: the feature tables of all cells and the counts of the corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.io import read_table
from saegrid.base.words import POSITIONS, Cell

COLUMNS = ["density", "density_in_edit"]
"""Columns of features.parquet that figures are drawn from."""


@dataclass(frozen=True)
class Grid:
    """A study's main corpus as its cells see it."""

    cells: Mapping[str, pa.Table]
    """Cell (`L15R-32x`): its features.parquet, or the `COLUMNS` of it."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """tokens.json: counts over `all` and the `kept` items (see `tokens.tokens`)."""
    cuts: Sequence[float] = ()
    """Densities above which features are counted."""
    tables: Mapping[str, Mapping[str, pa.Table]] = field(default_factory=dict)
    """Output of a stage (`probe.table`): by cell the table that it holds."""

    def series(self) -> dict[tuple[str, str], list[Cell]]:
        """Cells by (position, SAE), each list by layer; A, M, R, N, then SAEs by size."""
        found: dict[tuple[str, str], list[Cell]] = {}
        for cell in sorted(map(Cell.parse, self.cells), key=_place):
            found.setdefault((cell.site.position, cell.sae), []).append(cell)
        return found

    def layers(self) -> list[int]:
        """Layers of the grid, ascending."""
        return sorted({Cell.parse(cell).site.layer for cell in self.cells})

    def density(self, cell: Cell) -> np.ndarray:
        """Densities (feature,) of the active features of a cell."""
        return self.cells[str(cell)]["density"].to_numpy()


def read_grid(
    tables: Sequence[str | Path],
    facts: Mapping[str, Any],
    cuts: Sequence[float] = (),
    files: Mapping[str, str] | None = None,
) -> Grid:
    """The grid of these features.parquet files, each in the folder of its cell.

    facts: what `tokens.counts_of_kept` gives. files: other outputs of stages that figures are drawn
    from, and the names of their files in the folders of the cells.
    """
    folders = {Path(path).parent.name: Path(path).parent for path in tables}
    others = {
        output: {cell: read_table(folder / file) for cell, folder in folders.items()}
        for output, file in (files or {}).items()
    }
    cells = {Path(path).parent.name: read_table(path, COLUMNS) for path in tables}
    return Grid(cells, facts, cuts, others)


def _place(cell: Cell) -> tuple[int, int, str, int]:
    digits = "".join(filter(str.isdigit, cell.sae))
    position = list(POSITIONS).index(cell.site.position)
    return position, int(digits or 0), cell.sae, cell.site.layer


def lengths(facts: Mapping[str, Any], key: str, which: str) -> tuple[np.ndarray, np.ndarray]:
    """Lengths, ascending, and how many items have each; both empty where there are none.

    key: `token_lengths` or `edit_lengths`. which: `all` or `kept`. Raises ValueError where the
    facts lack them.
    """
    if key not in facts.get(which, {}):
        raise ValueError(
            f"The facts of the corpus must have {which}.{key}; they have "
            f"{', '.join(facts.get(which, facts)) or 'nothing'}. Make tokens.json again."
        )
    counts = {int(length): int(n) for length, n in facts[which][key].items()}
    order = sorted(counts)
    return np.array(order, int), np.array([counts[length] for length in order], int)


def above(density: np.ndarray, cut: float) -> int:
    """Features with at least this density (the rule by which pages are made)."""
    return int((density >= cut).sum())
