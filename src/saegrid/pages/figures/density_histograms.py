"""The densities of the active features, one small histogram a cell."""

from typing import TYPE_CHECKING, Any

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Densities (% of all tokens) of the features that are active at least once: a histogram "
    "for each cell, a column for each position and SAE, a row for each layer. The axis at right "
    "counts the features in a bin, on a log scale that is the same for all; the grey number is "
    "that of the cell's active features. Dashed lines: the cuts. "
    "Names: position (R residual stream, A attention output, M MLP output) and SAE."
)
ACROSS = 6
"""Panels side by side at most."""
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
    most = int(max(counts.max() for counts in counted.values()))
    unit = HEIGHT / np.log10(1 + most)
    across = min(ACROSS, len(series))
    down = -(-len(series) // across)
    figure, axes = style.new(
        1.9 * across + 1.3, down * (0.5 * len(layers) + 1.0), down, across, sharex=True, sharey=True
    )
    for one in axes.flat[len(series) :]:
        one.set_visible(False)
    for one, (name, cells) in zip(axes.flat, series.items(), strict=False):
        for cell in cells:
            base, counts = layers.index(cell.site.layer), counted[cell]
            top = base + unit * np.log10(1 + counts)
            one.stairs(top, edges, baseline=base, fill=True, color=looks[name]["color"])
            where = {"x": 0.99, "y": base + 0.6, "transform": one.get_yaxis_transform()}
            one.text(s=f"{counts.sum():,}", ha="right", fontsize=7, color=style.GREY, **where)
        for cut in grid.cuts:
            one.axvline(np.log10(cut), color="black", linestyle="--", linewidth=0.7)
        one.set_title(looks[name]["label"])
    for row in range(down):
        _axes(axes[row, 0], layers, low, high + 0.2 * (high - low))
        last = min(len(series) - row * across, across) - 1
        _heights(axes[row, last], range(len(layers)), most, unit)
    figure.supxlabel("density (% of all tokens)", fontsize="medium")
    return figure


def _axes(one: "Axes", layers: list[int], low: float, high: float) -> None:
    """Layers at the middle of their rows, and densities as plain numbers."""
    one.set_xlim(low, high)
    percents = style.log_ticks(100 * 10.0**low, 100 * 10.0**high)
    one.set_xticks([np.log10(at / 100) for at in percents], [f"{at:.4g}" for at in percents])
    one.set_yticks([at + 0.4 for at in range(len(layers))], [str(layer) for layer in layers])
    one.tick_params(axis="y", length=0)
    one.yaxis.grid(False)
    one.set_ylim(-0.1, len(layers))
    one.set_ylabel("layer")


def _heights(one: "Axes", rows: Any, most: int, unit: float) -> None:
    """An axis at right that counts the features of a bin, once for each row."""
    counts = [n for n in (1, 10, 100, 1000, 10_000) if n <= most]
    counts = counts if len(counts) < 3 else counts[1:]
    right = one.secondary_yaxis("right")
    ticks = [(row + unit * np.log10(1 + n), f"{n:,}") for row in rows for n in counts]
    right.set_yticks([at for at, _ in ticks], [text for _, text in ticks], fontsize=6.5)
    right.tick_params(length=2, pad=2)
    right.set_ylabel("features in a bin")
