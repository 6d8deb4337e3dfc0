"""Lengths of the edits in tokens (S0.7)."""

from typing import TYPE_CHECKING

from saegrid.figures import style
from saegrid.figures.grid import Grid, lengths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = "Edited tokens per pair of texts, by the edit mask; all pairs and those that are kept."


def draw(grid: Grid) -> "Figure":
    """A pair of bars for each length: all pairs, and the kept ones; counts above the bars."""
    figure, axes = style.new(5, 3)
    one = axes[0, 0]
    drawn = {which: lengths(grid.facts, "edit_lengths", which) for which in ("all", "kept")}
    if not len(drawn["all"][0]):
        style.blank(one, "no pairs of texts")
        return figure
    for shift, colour, (which, (length, count)) in zip(
        (-0.21, 0.21), (style.COLOURS[4], style.COLOURS[0]), drawn.items(), strict=True
    ):
        label = f"{which}: {count.sum():,} pairs"
        bars = one.bar(length + shift, count, width=0.42, color=colour, label=label)
        one.bar_label(bars, fontsize=7, padding=1)
    one.set_yscale("log")
    one.set_ylim(0.7, 2.5 * max(count.max(initial=1) for _, count in drawn.values()))
    one.set_xlabel("edited tokens per pair")
    one.set_ylabel("pairs")
    one.xaxis.get_major_locator().set_params(integer=True)
    one.legend()
    return figure
