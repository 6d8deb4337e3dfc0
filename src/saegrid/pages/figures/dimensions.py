"""The mean and deviation of every dimension at every site, with outliers marked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.surveyed import Surveyed, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Mean (points) and standard deviation (crosses) of each dimension of the activations over all "
    "tokens, in raw units; one panel a site, a colour a corpus. What stands out is ringed; the "
    "farthest have their number."
)
MANY = 20_000
"""Number of points from which on they are drawn as a picture within the SVG, not as markup."""
FAR = 30
"""Multiple of the typical deviation from which on the axis is logarithmic."""
FEW = 512
"""Number of dimensions up to which points are large."""
NAMED = 4
"""Number of dimensions of a site and corpus that are labelled."""


def draw(surveyed: Surveyed) -> "Figure":
    """The figure: a row a layer, a column a position."""
    picture = surveyed.dimensions.num_rows * 2 > MANY

    def points(one: "Axes", row: Mapping[str, Any], colour: str) -> None:
        _points(one, surveyed.columns(row), colour, picture)

    return panels(surveyed, points)


def _points(one: "Axes", columns: Mapping[str, np.ndarray], colour: str, picture: bool) -> None:
    """Draw the dimensions of a site and corpus into its panel."""
    x = columns["dimension"]
    how = {"ls": "", "color": colour, "rasterized": picture}
    size = 3.5 if len(x) <= FEW else 2.5
    one.plot(x, columns["sd"], marker="x", markersize=size, alpha=0.6, markeredgewidth=0.7, **how)
    one.plot(x, columns["mean"], marker="o", markersize=size, markeredgewidth=0, **how)
    by_mean, by_sd = (np.abs(columns[name]) for name in ("mean_robust", "sd_robust"))
    order = np.argsort(-np.maximum(by_mean, by_sd), kind="stable")
    out = order[columns["outlier"][order]]
    y = np.where(by_mean >= by_sd, columns["mean"], columns["sd"])
    ring = {"ls": "", "marker": "o", "markersize": 5, "markerfacecolor": "none"}
    one.plot(x[out], y[out], color=colour, markeredgewidth=0.8, **ring)
    for at in out[:NAMED]:
        where = {"xytext": (4, 2), "textcoords": "offset points", "fontsize": 7}
        one.annotate(f"{x[at]}", (x[at], y[at]), color=colour, **where)
    typical = float(np.median(columns["sd"]))
    if np.abs(y[out]).max(initial=0) > FAR * typical:
        style.linear_near_zero(one, typical)
