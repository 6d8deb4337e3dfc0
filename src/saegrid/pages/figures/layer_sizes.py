"""The sizes of activations over layers: average, largest number, norm, anisotropy."""

from typing import TYPE_CHECKING

from saegrid.pages.figures import style
from saegrid.pages.figures.surveyed import Surveyed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Average and largest number, mean norm of a token and mean cosine of two tokens, over layers, "
    "of all tokens that were captured. A line joins the sites of one position and corpus."
)
PANELS = {
    "average": ("average number", "raw units"),
    "max": ("largest number", "raw units"),
    "norm": ("mean norm of a token", "raw units"),
    "anisotropy": ("mean cosine of two tokens", "cosine"),
}
"""Title and unit of the panels by column."""
LOG = ("max", "norm")
"""Columns that have a log axis if all values are positive."""


def draw(surveyed: Surveyed) -> "Figure":
    """The figure: a panel a column."""
    figure, axes = style.new(3.2 * len(PANELS) + 1.6, 3, 1, len(PANELS))
    rows, colours, positions = surveyed.rows(), surveyed.colours(), surveyed.positions()
    for (column, (title, unit)), one in zip(PANELS.items(), axes[0], strict=True):
        for corpus, colour in colours.items():
            for at, position in enumerate(positions):
                key = corpus, position
                selected = [row for row in rows if (row["corpus"], row["position"]) == key]
                points = sorted((row["layer"], row[column]) for row in selected)
                if points:
                    how = {"color": colour, "ls": style.DASHES[at % len(style.DASHES)], "lw": 1.2}
                    how |= {"marker": style.MARKERS[at % len(style.MARKERS)], "markersize": 4}
                    label = f"{corpus}, {position}"
                    one.plot(*zip(*points, strict=True), label=label, **how)
        one.set_title(title)
        one.set_ylabel(unit)
        one.set_xlabel("layer")
        one.set_xticks(style.sparse(surveyed.all_layers()))
        if column in LOG and rows and min(row[column] for row in rows) > 0:
            one.set_yscale("log")
            style.plain_log(one.yaxis)
    if rows:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return figure
