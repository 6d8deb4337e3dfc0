"""The activations of single tokens, laid over each other at every site."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from saegrid.pages.figures import style
from saegrid.pages.figures.dimensions import FAR, MANY
from saegrid.pages.figures.surveyed import Surveyed, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Single tokens from all over the corpus laid over each other, a line each, over dimensions: "
    "what stands out in every one of them, not in some alone, is strongest. In raw units; one "
    "panel a site, a colour a corpus."
)
TYPICAL = 0.9
"""Share of the numbers up to the typical size."""


def draw(surveyed: Surveyed) -> "Figure":
    """The figure: a row a layer, a column a position."""
    numbers = pc.sum(pc.list_value_length(surveyed.passes["values"])).as_py() or 0
    picture = numbers > MANY

    def lines(one: "Axes", row: Mapping[str, Any], colour: str) -> None:
        values = surveyed.single(row)
        one.plot(values.T, color=colour, alpha=0.3, lw=0.5, rasterized=picture)
        sizes = np.abs(values)
        typical = float(np.quantile(sizes, TYPICAL))
        if sizes.max() > FAR * typical:
            style.linear_near_zero(one, typical)

    return panels(surveyed, lines)
