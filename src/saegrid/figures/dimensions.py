"""Mean and deviation of every dimension at every site, with those that stand out (S2.15)."""

from typing import TYPE_CHECKING

import numpy as np

from saegrid.figures import style
from saegrid.figures.surveyed import Surveyed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Mean (dark) and standard deviation (light) of each dimension over all tokens, one panel a "
    "site, a colour a corpus. What stands out is ringed; the farthest have their number."
)
MANY = 20_000
"""Points from which on they are a picture within the SVG, not markup of their own."""
FAR = 30
"""Times the typical deviation, from which on the axis is logarithmic."""
NAMED = 4
"""Dimensions of a site and corpus that have their number beside them."""


def draw(surveyed: Surveyed) -> "Figure":
    """A row a layer, a column a position."""
    layers, positions = surveyed.layers_there(), surveyed.positions()
    down, across = max(1, len(layers)), max(1, len(positions))
    figure, axes = style.new(4.2 * across + 1.4, 2.2 * down + 0.3, down, across)
    figure.set_dpi(200)  # of what is a picture
    picture = surveyed.dimensions.num_rows * 2 > MANY
    for one in axes.flat:
        one.set_visible(False)
    for row, found in surveyed.sites():
        one = axes[layers.index(row["layer"]), positions.index(row["position"])]
        one.set_visible(True)
        one.set_title(row["site"])
        colour, x = surveyed.colours()[row["corpus"]], found["dimension"]
        how = {"ls": "", "color": colour, "rasterized": picture, "markeredgewidth": 0}
        one.plot(x, found["sd"], marker=".", markersize=2.5, alpha=0.35, **how)
        one.plot(x, found["mean"], marker=".", markersize=2.5, **how)
        by_mean, by_sd = (np.abs(found[name]) for name in ("mean_robust", "sd_robust"))
        order = np.argsort(-np.maximum(by_mean, by_sd), kind="stable")
        out = order[found["outlier"][order]]
        y = np.where(by_mean >= by_sd, found["mean"], found["sd"])
        ring = {"ls": "", "marker": "o", "markersize": 5, "markerfacecolor": "none"}
        one.plot(x[out], y[out], color=colour, markeredgewidth=0.8, **ring)
        for at in out[:NAMED]:
            where = {"xytext": (4, 2), "textcoords": "offset points", "fontsize": 7}
            one.annotate(f"{x[at]}", (x[at], y[at]), color=colour, **where)
        typical = float(np.median(found["sd"]))
        if one.get_yscale() == "linear" and np.abs(y[out]).max(initial=0) > FAR * typical > 0:
            # Beside such dimensions the others would be one line: linear near zero only.
            one.set_yscale("symlog", linthresh=10.0 ** np.ceil(np.log10(typical)))
            style.plain_symlog(one.yaxis)
    for column in axes.T:
        shown = [one for one in column if one.get_visible()]
        if shown:
            shown[-1].set_xlabel("dimension")
    if surveyed.rows():
        from matplotlib.lines import Line2D

        lines = [Line2D([], [], ls="", marker="o", color=c) for c in surveyed.colours().values()]
        figure.legend(lines, surveyed.corpora(), loc="outside right upper")
    else:
        axes[0, 0].set_visible(True)
        style.blank(axes[0, 0], "nothing was surveyed")
    return figure
