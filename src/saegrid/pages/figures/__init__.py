"""The plots of a study, as SVG. One file a figure: `draw(grid) -> Figure` and its `CAPTION`.

Matplotlib is imported when a figure is drawn, never before: the plan of a study reads this table.
"""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from saegrid.base.io import write_text
from saegrid.base.registry import entry, pick

if TYPE_CHECKING:
    from saegrid.pages.figures.grid import Grid
    from saegrid.pages.figures.judged import Judged
    from saegrid.pages.figures.surveyed import Surveyed

FIGURES = {
    "density_histograms": "saegrid.pages.figures.density_histograms:draw",
    "edit_lengths": "saegrid.pages.figures.edit_lengths:draw",
    "features_above_cuts": "saegrid.pages.figures.features_above_cuts:draw",
    "layer_curves": "saegrid.pages.figures.layer_curves:draw",
    "tokens_per_text": "saegrid.pages.figures.tokens_per_text:draw",
}
"""Name: function from a `figures.grid.Grid` to a matplotlib figure."""

HEALTH_FIGURES = {
    "frontier": "saegrid.pages.figures.frontier:draw",
    "latents": "saegrid.pages.figures.latents:draw",
    "loss_curves": "saegrid.pages.figures.loss_curves:draw",
    "recovered": "saegrid.pages.figures.recovered:draw",
    "shares": "saegrid.pages.figures.shares:draw",
}
"""Name: function from a `figures.judged.Judged` to a matplotlib figure."""

SURVEY_FIGURES = {
    "dimensions": "saegrid.pages.figures.dimensions:draw",
    "layer_sizes": "saegrid.pages.figures.layer_sizes:draw",
    "passes": "saegrid.pages.figures.passes:draw",
}
"""Name: function from a `figures.surveyed.Surveyed` to a matplotlib figure."""

_ALL = FIGURES | HEALTH_FIGURES | SURVEY_FIGURES


def caption(name: str) -> str:
    """What a figure shows, in one or two sentences; ValueError where the figure is unknown."""
    place = entry(_ALL, name, "Figure")
    return import_module(place.partition(":")[0]).CAPTION


def captions(names: Iterable[str] = FIGURES) -> list[tuple[str, str]]:
    """Path from a study's folder and caption of every figure, in the order of their names."""
    return [(f"figures/{name}.svg", caption(name)) for name in sorted(names)]


def svg(name: str, shown: "Grid | Judged | Surveyed") -> str:
    """A figure as SVG text, the same for the same tables; ValueError where it is unknown."""
    from saegrid.pages.figures.style import render

    return render(pick(_ALL, name, "Figure"), shown).decode()


def draw_all(
    shown: "Grid | Judged | Surveyed", folder: str | Path, names: Iterable[str] = FIGURES
) -> None:
    """Write every figure to `folder`, as {name}.svg."""
    for name in sorted(names):
        write_text(Path(folder) / f"{name}.svg", svg(name, shown))
