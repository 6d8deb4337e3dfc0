"""The layer curves: active features, largest density and L0 of every cell."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from saegrid.base.words import Cell
from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Features that are active at least once; the density of the most frequent one, as a share of "
    "all tokens; and L0, the mean number of active features per token that is counted. Over "
    "layers; a line joins the cells of one position and SAE. An L0 that is the same in every cell "
    "stands in the title and has no panel. "
    "Names: position (R residual stream, A attention output, M MLP output) and SAE."
)
SAME = 0.005
"""Relative spread up to which L0 counts as the same in every cell."""


def n_active(grid: Grid, cell: Cell) -> float:
    """The number of features that are active at least once."""
    return float((grid.density(cell) > 0).sum())


def max_density(grid: Grid, cell: Cell) -> float:
    """The largest density; NaN without any active feature."""
    return float(grid.density(cell).max(initial=0)) or np.nan


def l0(grid: Grid, cell: Cell) -> float:
    """The mean number of active features per counted token: the sum of their shares of these.

    In plain text every token counts and `density_in_edit` is null: `density` is the share.
    """
    table = grid.cells[str(cell)]
    shares = table["density_in_edit"]
    return float((table["density"] if shares.null_count else shares).to_numpy().sum())


PANELS: dict[str, tuple[str, Callable[[Grid, Cell], float]]] = {
    "active features": ("number of features", n_active),
    "largest density": ("share of all tokens", max_density),
    "L0": ("active features per counted token", l0),
}
"""Label of the y axis, and function of a grid and a cell, by the title of a panel."""


def same(values: Sequence[float]) -> bool:
    """Return True if several values differ by no more than `SAME` of the largest."""
    return len(values) > 1 and max(values) - min(values) <= SAME * max(values)


def draw(grid: Grid) -> "Figure":
    """The figure: a panel for each number, over layers."""
    from matplotlib.ticker import FuncFormatter

    every = [l0(grid, cell) for cells in grid.series().values() for cell in cells]
    panels = {title: one for title, one in PANELS.items() if one[1] is not l0 or not same(every)}
    figure, axes = style.new(3.3 * len(panels) + 1.2, 3, 1, len(panels))
    looks = style.looks(grid)
    for (title, (label, value)), one in zip(panels.items(), axes[0], strict=True):
        drawn: list[float] = []
        for name, cells in grid.series().items():
            values = [value(grid, cell) for cell in cells]
            one.plot([c.site.layer for c in cells], values, markersize=4, lw=1.2, **looks[name])
            drawn += values
        one.set_title(title)
        one.set_ylabel(label)
        one.set_ylim(0, 1.08 * max((x for x in drawn if x > 0), default=1))
        one.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        style.layer_axis(one, grid)
    if len(panels) < len(PANELS):
        figure.suptitle(
            f"L0: {every[0]:.4g} active features per counted token in every cell", fontsize=9
        )
    if grid.cells:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure
