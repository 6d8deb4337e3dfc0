"""Mean and deviation of every dimension at every site, with those that stand out (S2.15)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.surveyed import Surveyed, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
    picture = surveyed.dimensions.num_rows * 2 > MANY

    def points(one: "Axes", row: Mapping[str, Any], colour: str) -> None:
        _points(one, surveyed.columns(row), colour, picture)

    return panels(surveyed, points)


def _points(one: "Axes", found: Mapping[str, np.ndarray], colour: str, picture: bool) -> None:
    """Those of a site and corpus."""
    x = found["dimension"]
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
    if np.abs(y[out]).max(initial=0) > FAR * typical:
        style.linear_near_zero(one, typical)
