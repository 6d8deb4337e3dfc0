"""The number of features above each density cut, per cell."""

from typing import TYPE_CHECKING

from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid, above

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Number of features whose density, their share of all tokens, is at least a cut: a panel for "
    "each cut, over layers. A line joins the cells of one position and SAE. "
    "Names: position (R residual stream, A attention output, M MLP output) and SAE."
)


def draw(grid: Grid) -> "Figure":
    """The figure: a panel a cut, with a line through the cells of one position and SAE."""
    cuts = sorted(grid.cuts) or [0.0]
    figure, axes = style.new(3.1 * len(cuts) + 1.2, 3, 1, len(cuts))
    looks = style.looks(grid)
    for cut, one in zip(cuts, axes[0], strict=True):
        every = []
        for name, cells in grid.series().items():
            counts = [above(grid.density(cell), cut) for cell in cells]
            one.plot([c.site.layer for c in cells], counts, markersize=4, lw=1.2, **looks[name])
            every += counts
        style.from_zero(one, every)
        one.set_title(f"density of at least {100 * cut:g} %" if cut else "active at least once")
        style.layer_axis(one, grid)
    axes[0, 0].set_ylabel("number of features")
    if grid.cells:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure
