"""The lengths of the edits in tokens."""

from typing import TYPE_CHECKING

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid, lengths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Pairs of texts by the number of tokens that the edit takes in the edited text; all pairs, and "
    "those that the filter keeps. The number of pairs stands above a bar; its height is on a log "
    "scale."
)


def draw(grid: Grid) -> "Figure":
    """The figure: two bars for each length, all pairs and the kept ones, with counts above."""
    figure, axes = style.new(6.4, 3)
    one = axes[0, 0]
    drawn = {which: lengths(grid.facts, "edit_lengths", which) for which in ("all", "kept")}
    if not len(drawn["all"][0]):
        style.blank(one, "no pairs of texts")
        return figure
    if np.array_equal(drawn["all"], drawn["kept"]):
        del drawn["kept"]  # nothing is filtered
    width = 0.84 / len(drawn)
    for number, (which, (length, count)) in enumerate(drawn.items()):
        at = length + width * (number - (len(drawn) - 1) / 2)
        label, colour = f"{which}: {count.sum():,} pairs", style.COLOURS[(4, 0)[number]]
        bars = one.bar(at, count, width=width, color=colour, label=label)
        one.bar_label(bars, fontsize=7 if len(length) < 9 else 5.5, padding=1, fmt="{:,.0f}")
    one.set_yscale("log")
    style.plain_log(one.yaxis)
    one.set_ylim(0.7, 2.5 * max(count.max(initial=1) for _, count in drawn.values()))
    one.set_xlabel("tokens of the edit")
    one.set_ylabel("number of pairs")
    one.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside right upper")
    return figure
