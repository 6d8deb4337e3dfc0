"""The densities of the active features, one small histogram a cell."""

from typing import TYPE_CHECKING

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Densities of the features that are active at least once: a histogram for each cell, a row for "
    "each layer. Heights are log10(1 + features in the bin), one scale for the figure; at right "
    "stands the number of features. Dashed lines: the cuts."
)
BINS = 30
HEIGHT = 0.85
"""Height of the figure's highest bin, in rows."""


def draw(grid: Grid) -> "Figure":
    """The figure: a panel for each position and SAE, with log10 of the density on one scale."""
    series, layers, looks = grid.series(), grid.layers(), style.looks(grid)
    every = [grid.density(cell) for cells in series.values() for cell in cells]
    active = np.concatenate([np.zeros(0), *every])
    active = active[active > 0]
    if not len(active):
        figure, axes = style.new(4, 2)
        style.blank(axes[0, 0], "no active feature")
        return figure
    low, high = np.log10(active.min()) - 0.05, np.log10(active.max()) + 0.05
    edges = np.linspace(low, high, BINS + 1)
    counted = {
        cell: np.histogram(np.log10(density[density > 0]), edges)[0]
        for cells in series.values()
        for cell in cells
        for density in [grid.density(cell)]
    }
    unit = HEIGHT / np.log10(1 + max(counts.max() for counts in counted.values()))
    figure, axes = style.new(
        1.9 * len(series) + 0.8, 0.42 * len(layers) + 1.0, 1, len(series), sharex=True, sharey=True
    )
    for one, (name, cells) in zip(axes[0], series.items(), strict=True):
        for cell in cells:
            base, counts = layers.index(cell.site.layer), counted[cell]
            top = base + unit * np.log10(1 + counts)
            one.stairs(top, edges, baseline=base, fill=True, color=looks[name]["color"])
            where = {"x": 0.99, "y": base + 0.45, "transform": one.get_yaxis_transform()}
            one.text(s=f"{counts.sum():,}", ha="right", fontsize=7, color=style.GREY, **where)
        for cut in grid.cuts:
            one.axvline(np.log10(cut), color="black", linestyle="--", linewidth=0.7)
        one.set_title(looks[name]["label"])
    one = axes[0, 0]
    one.set_xlim(low, high + 0.15 * (high - low))
    one.set_yticks(range(len(layers)), [str(layer) for layer in layers])
    one.set_ylim(-0.1, len(layers))
    one.set_ylabel("layer")
    figure.supxlabel("log10 of density (share of all tokens)", fontsize="medium")
    return figure
