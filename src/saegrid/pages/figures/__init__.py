"""The figures of a study, as SVG and PDF: one file each with `draw(...) -> Figure` and `CAPTION`.

A figure of the main corpus is named by the stage that shows it (`stages.stage.Figure`); those of
the health page and of the survey are listed below. Matplotlib is imported only when a figure is
drawn, since the plan of a study reads these tables.
"""

import html
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from saegrid.base.io import atomic, write_text

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
"""Figures of the health page by name: functions of a `figures.judged.Judged`."""

SURVEY_FIGURES = {
    "dimensions": "saegrid.pages.figures.dimensions:draw",
    "layer_sizes": "saegrid.pages.figures.layer_sizes:draw",
    "passes": "saegrid.pages.figures.passes:draw",
}
"""Figures of the survey by name: functions of a `figures.surveyed.Surveyed`."""


def captions(figures: Mapping[str, str]) -> list[tuple[str, str]]:
    """The path, from a study's folder, and the caption of every figure, in the order of their
    names.

    figures: functions that draw them, `package.module:draw`, by name.
    """
    return [
        (f"figures/{name}.svg", import_module(figures[name].partition(":")[0]).CAPTION)
        for name in sorted(figures)
    ]


def svg(function: str, shown: "Grid | Judged | Surveyed") -> str:
    """A figure as SVG text, the same for the same tables; function: `package.module:draw`."""
    from saegrid.pages.figures.style import render

    return render(resolve_name(function), shown).decode()


def draw_all(
    shown: "Grid | Judged | Surveyed",
    folder: str | Path,
    figures: Mapping[str, str],
    spec: str = "",
) -> None:
    """Write every figure to `folder`: {name}.svg for pages, with the spec of the job in a comment,
    and {name}.pdf for print, with its letters embedded."""
    from saegrid.pages.figures.style import render

    for name, function in sorted(figures.items()):
        write_text(Path(folder) / f"{name}.svg", with_spec(svg(function, shown), spec))
        with atomic(Path(folder) / f"{name}.pdf") as path:
            path.write_bytes(render(resolve_name(function), shown, "pdf"))


def with_spec(text: str, spec: str) -> str:
    """An SVG with the spec of its job in a comment of its head (read by `base.recorded`)."""
    if not spec:
        return text
    head, end, rest = text.partition("?>\n")
    # Two hyphens would end the comment.
    escaped = html.escape(spec).replace("--", "-&#45;")
    return f'{head}{end}<!-- saegrid-spec="{escaped}" -->\n{rest}'
