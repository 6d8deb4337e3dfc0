"""The number of tokens per text of the corpus."""

from typing import TYPE_CHECKING

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid, lengths

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Texts by their number of tokens, special tokens left out; of the texts that the filter keeps. "
    "The dashed line is the mean. Where lengths are many, a bar holds several."
)
BARS = 50
"""Bars at most."""


def draw(grid: Grid) -> "Figure":
    """The figure: a bar for each number of tokens of the kept items, with mean and largest."""
    figure, axes = style.new(5, 3)
    one = axes[0, 0]
    length, count = lengths(grid.facts, "token_lengths", "kept")
    if not len(length):
        style.blank(one, "no text")
        return figure
    width = -(-(int(length.max()) - int(length.min()) + 1) // BARS)
    bins = np.bincount((length - length.min()) // width, weights=count)
    first = length.min() + width * np.arange(len(bins))
    one.bar(first + (width - 1) / 2, bins, width=0.9 * width, color=style.COLOURS[0])
    mean = float(np.average(length, weights=count))
    one.axvline(mean, color="black", linestyle="--", linewidth=0.9)
    one.set_title(f"{count.sum():,} texts: mean {mean:.2f}, longest {length.max()} tokens")
    one.set_xlabel("tokens per text" if width == 1 else f"tokens per text, {width} lengths a bar")
    one.set_ylabel("number of texts")
    one.xaxis.get_major_locator().set_params(integer=True)
    return figure
