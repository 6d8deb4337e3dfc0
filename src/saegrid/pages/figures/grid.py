"""The data of figures: the feature tables of all cells and the counts of the corpus."""

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
    """The tables of all cells on a study's main corpus, with the counts of the corpus."""

    cells: Mapping[str, pa.Table]
    """features.parquet, or its `COLUMNS`, by cell (`L15R-32x`)."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Content of tokens.json: counts over `all` and the `kept` items (see `tokens.tokens`)."""
    cuts: Sequence[float] = ()
    """Densities above which features are counted."""
    tables: Mapping[str, Mapping[str, pa.Table]] = field(default_factory=dict)
    """Tables of other stages, by output (`probe.table`) and cell."""

    def series(self) -> dict[tuple[str, str], list[Cell]]:
        """The cells by (position, SAE), each list by layer; positions A, M, R, N, then SAEs by
        size."""
        series: dict[tuple[str, str], list[Cell]] = {}
        for cell in sorted(map(Cell.parse, self.cells), key=_order):
            series.setdefault((cell.site.position, cell.sae), []).append(cell)
        return series

    def layers(self) -> list[int]:
        """The layers of the grid, ascending."""
        return sorted({Cell.parse(cell).site.layer for cell in self.cells})

    def density(self, cell: Cell) -> np.ndarray:
        """The densities (feature,) of the active features of a cell."""
        return self.cells[str(cell)]["density"].to_numpy()


def read_grid(
    tables: Sequence[str | Path],
    facts: Mapping[str, Any],
    cuts: Sequence[float] = (),
    files: Mapping[str, str] | None = None,
) -> Grid:
    """The grid of some features.parquet files.

    Args:
        tables: features.parquet of the cells, each in the folder of its cell.
        facts: counts of the corpus, from `tokens.counts_of_kept`.
        cuts: densities above which features are counted.
        files: other outputs of stages that figures need, with the names of their files in the
            folders of the cells.
    """
    folders = {Path(path).parent.name: Path(path).parent for path in tables}
    others = {
        output: {cell: read_table(folder / file) for cell, folder in folders.items()}
        for output, file in (files or {}).items()
    }
    cells = {Path(path).parent.name: read_table(path, COLUMNS) for path in tables}
    return Grid(cells, facts, cuts, others)


def _order(cell: Cell) -> tuple[int, int, str, int]:
    digits = "".join(filter(str.isdigit, cell.sae))
    position = list(POSITIONS).index(cell.site.position)
    return position, int(digits or 0), cell.sae, cell.site.layer


def lengths(facts: Mapping[str, Any], key: str, which: str) -> tuple[np.ndarray, np.ndarray]:
    """The lengths, ascending, and the number of items of each; both empty if there are none.

    Args:
        facts: counts of the corpus, see `Grid`.
        key: `token_lengths` or `edit_lengths`.
        which: `all` or `kept`.

    Raises:
        ValueError: the facts lack these lengths.
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
    """The number of features with at least a density (the rule by which pages are made)."""
    return int((density >= cut).sum())
