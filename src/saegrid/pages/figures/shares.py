"""The dead rate and Gini index of every SAE, with the ranges that are called good."""

from typing import TYPE_CHECKING

from saegrid.pages.figures import style
from saegrid.pages.figures.judged import Judged, kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Share of features that never fire (dead rate), and how unequally features share the firing "
    "(Gini index: 0 all alike, 1 one does all), on held-out tokens; a point for each cell, a row "
    "for each SAE. Grey bands: good by the first set of limits of the health page."
)
PANELS = {"dead_rate": ("dead rate", 0.05, 0.2), "gini": ("Gini index", 0.2, 0.6)}
"""Name and good range of each panel by column."""


def draw(judged: Judged) -> "Figure":
    """The figure: two panels, with SAEs from top to bottom and their sites as points of one
    line."""
    saes = list(dict.fromkeys(row["sae"] for row in judged.rows()))
    figure, axes = style.new(8.2, 1.2 + 0.22 * len(saes), 1, len(PANELS), sharey=True)
    looks, seen = judged.looks(), {}
    for (column, (title, low, high)), one in zip(PANELS.items(), axes[0], strict=True):
        one.axvspan(low, high, color="#eeeeee", lw=0)
        for row in judged.rows():
            how = {"ls": "", "markersize": 4, **looks[kind(row)]}
            line = one.plot([row[column]], [saes.index(row["sae"])], **how)[0]
            seen.setdefault(kind(row), line)
        one.set_xlim(-0.02, 1.02)
        one.set_xlabel(title)
    axes[0, 0].set_yticks(range(len(saes)), saes)
    axes[0, 0].set_ylim(len(saes) - 0.4, -0.6)
    axes[0, 0].set_ylabel("SAE")
    if len(seen) > 1:
        figure.legend(list(seen.values()), list(seen), loc="outside right center")
    return figure
