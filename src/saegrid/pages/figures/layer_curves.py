"""The layer curves: active features, largest density and l0 of every cell."""

from typing import TYPE_CHECKING

import numpy as np

from saegrid.base.words import Cell
from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Features active at least once, largest density, and mean number of active features per masked "
    "token (l0), over layers. A line joins the cells of one position and SAE."
)


def n_active(grid: Grid, cell: Cell) -> float:
    """The number of features that are active at least once."""
    return float((grid.density(cell) > 0).sum())


def max_density(grid: Grid, cell: Cell) -> float:
    """The largest density; NaN without any active feature."""
    return float(grid.density(cell).max(initial=0)) or np.nan


def l0(grid: Grid, cell: Cell) -> float:
    """The mean number of active features per masked token: the sum of their shares of these tokens.

    In plain text every token counts and `density_in_edit` is null: `density` is the share.
    """
    table = grid.cells[str(cell)]
    shares = table["density_in_edit"]
    return float((table["density"] if shares.null_count else shares).to_numpy().sum())


PANELS = {
    "active features": n_active,
    "largest density (share of all tokens)": max_density,
    "l0 (active features per masked token)": l0,
}
"""Functions of a grid and a cell by the title of their panel."""


def draw(grid: Grid) -> "Figure":
    """The figure: three panels over layers."""
    figure, axes = style.new(3.1 * len(PANELS) + 1.2, 3, 1, len(PANELS))
    looks = style.looks(grid)
    for (title, value), one in zip(PANELS.items(), axes[0], strict=True):
        for name, cells in grid.series().items():
            values = [value(grid, cell) for cell in cells]
            one.plot([c.site.layer for c in cells], values, markersize=4, lw=1.2, **looks[name])
        one.set_title(title)
        one.set_ylim(bottom=0)
        one.set_ylim(top=1.05 * one.get_ylim()[1])
        style.layer_axis(one, grid)
    if grid.cells:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure
