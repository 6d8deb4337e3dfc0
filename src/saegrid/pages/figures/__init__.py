"""The plots of a study, as SVG. One file a figure: `draw(...) -> Figure` and its `CAPTION`.

A figure of the main corpus is named by the stage that shows it (`stages.stage.Figure`), one of the
health page or of the survey below. Matplotlib is imported when a figure is drawn, never before: the
plan of a study reads these tables.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from saegrid.base.io import write_text

if TYPE_CHECKING:
    from saegrid.pages.figures.grid import Grid
    from saegrid.pages.figures.judged import Judged
    from saegrid.pages.figures.surveyed import Surveyed

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


def captions(figures: Mapping[str, str]) -> list[tuple[str, str]]:
    """Path from a study's folder and caption of every figure, in the order of their names.

    figures: name to the function that draws it, `package.module:draw`.
    """
    return [
        (f"figures/{name}.svg", import_module(figures[name].partition(":")[0]).CAPTION)
        for name in sorted(figures)
    ]


def svg(place: str, shown: "Grid | Judged | Surveyed") -> str:
    """A figure as SVG text, the same for the same tables. place: `package.module:draw`."""
    from saegrid.pages.figures.style import render

    return render(resolve_name(place), shown).decode()


def draw_all(
    shown: "Grid | Judged | Surveyed", folder: str | Path, figures: Mapping[str, str]
) -> None:
    """Write every figure to `folder`, as {name}.svg."""
    for name, place in sorted(figures.items()):
        write_text(Path(folder) / f"{name}.svg", svg(place, shown))
