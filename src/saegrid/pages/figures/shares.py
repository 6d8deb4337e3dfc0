"""The dead rate and Gini index of every SAE, with the ranges that S2.9 calls good."""

from typing import TYPE_CHECKING

from saegrid.pages.figures import style
from saegrid.pages.figures.judged import Judged, kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Dead rate and Gini index on held-out tokens, one point a cell, over the SAEs of the sweep. "
    "The grey band is what S2.9 calls good at its own shape."
)
PANELS = {"dead_rate": ("dead rate", 0.05, 0.2), "gini": ("Gini index", 0.2, 0.6)}
"""Title and good range of each panel by column."""


def draw(judged: Judged) -> "Figure":
    """The figure: two panels, with SAEs from top to bottom and their sites as points of one
    line."""
    saes = list(dict.fromkeys(row["sae"] for row in judged.rows()))
    figure, axes = style.new(8.2, 1.2 + 0.22 * len(saes), 1, len(PANELS), sharey=True)
    looks = judged.looks()
    for (column, (title, low, high)), one in zip(PANELS.items(), axes[0], strict=True):
        one.axvspan(low, high, color="#eeeeee", lw=0)
        for row in judged.rows():
            how = {"ls": "", "markersize": 4, **looks[kind(row)]}
            one.plot([row[column]], [saes.index(row["sae"])], **how)
        one.set_title(title)
        one.set_xlim(-0.02, 1.02)
    axes[0, 0].set_yticks(range(len(saes)), saes)
    axes[0, 0].invert_yaxis()
    return figure
