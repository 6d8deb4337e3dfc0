"""The plots of a study, as SVG. One file a figure: `draw(grid) -> Figure` and its `CAPTION`.

Matplotlib is imported when a figure is drawn, never before: the plan of a study reads this table.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from saegrid.io import write_text
from saegrid.registry import entry, pick

if TYPE_CHECKING:
    from saegrid.figures.grid import Grid

FIGURES = {
    "density_histograms": "saegrid.figures.density_histograms:draw",
    "edit_lengths": "saegrid.figures.edit_lengths:draw",
    "features_above_cuts": "saegrid.figures.features_above_cuts:draw",
    "layer_curves": "saegrid.figures.layer_curves:draw",
    "tokens_per_text": "saegrid.figures.tokens_per_text:draw",
}
"""Name: function from a `figures.grid.Grid` to a matplotlib figure."""


def caption(name: str) -> str:
    """What a figure shows, in one or two sentences; ValueError where the figure is unknown."""
    return import_module(entry(FIGURES, name, "Figure").partition(":")[0]).CAPTION


def captions() -> list[tuple[str, str]]:
    """Path from a study's folder and caption of every figure, in the order of their names."""
    return [(f"figures/{name}.svg", caption(name)) for name in sorted(FIGURES)]


def svg(name: str, grid: "Grid") -> str:
    """A figure as SVG text, the same for the same tables; ValueError where it is unknown."""
    from saegrid.figures.style import render

    return render(pick(FIGURES, name, "Figure"), grid).decode()


def draw_all(grid: "Grid", folder: str | Path) -> None:
    """Write every figure to `folder`, as {name}.svg."""
    for name in sorted(FIGURES):
        write_text(Path(folder) / f"{name}.svg", svg(name, grid))
