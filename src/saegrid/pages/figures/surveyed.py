"""The data of the figures of a survey, and the panels of its sites."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.pages.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, SMALL = (4.2, 2.2), (2.4, 1.5)
"""Width and height of a panel in inches; of one among many."""
TALL = 6
"""Layers of one position up to which their panels stand in one column."""
ABREAST = 4
"""Panels of a row where there are more."""
COLUMNS = ("dimension", "mean", "sd", "mean_robust", "sd_robust", "outlier")
"""Columns of the table of dimensions that are drawn."""


@dataclass(frozen=True)
class Surveyed:
    """The tables of a survey, see `survey.Survey`."""

    layers: pa.Table
    dimensions: pa.Table
    passes: pa.Table

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `layers` for all tokens."""
        return [row for row in self.layers.to_pylist() if row["tokens"] == "all"]

    def corpora(self) -> list[str]:
        """The corpora, in the order of the table."""
        return list(dict.fromkeys(row["corpus"] for row in self.rows()))

    def all_layers(self) -> list[int]:
        """The layers, ascending."""
        return sorted({row["layer"] for row in self.rows()})

    def positions(self) -> list[str]:
        """The positions, in the order of the table."""
        return list(dict.fromkeys(row["position"] for row in self.rows()))

    def colours(self) -> dict[str, str]:
        """The colour of each corpus."""
        colours = style.COLOURS
        return {name: colours[i % len(colours)] for i, name in enumerate(self.corpora())}

    def columns(self, row: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The columns of the table of dimensions for a row's site and corpus."""
        table = self.dimensions.filter(_here(row))
        return {name: table[name].to_numpy() for name in COLUMNS}

    def single(self, row: Mapping[str, Any]) -> np.ndarray:
        """The values (pass, dimension) of the single tokens of a row's site and corpus."""
        return np.array(self.passes.filter(_here(row))["values"].to_pylist())


def _here(row: Mapping[str, Any]) -> pc.Expression:
    """A filter for the rows of the same site and corpus."""
    return (pc.field("corpus") == row["corpus"]) & (pc.field("site") == row["site"])


def panels(surveyed: Surveyed, paint: "Callable[[Axes, Mapping[str, Any], str], None]") -> "Figure":
    """A figure with a panel a site over its dimensions: a row a layer, a column a position; many
    layers of one position row by row.

    paint: function that draws a site of a corpus, given its panel, its row of `Surveyed.rows` and
    the corpus' colour.
    """
    layers, positions = surveyed.all_layers(), surveyed.positions()
    down, across, (width, height) = max(1, len(layers)), max(1, len(positions)), PANEL
    wrapped = len(positions) == 1 and len(layers) > TALL
    if wrapped:
        down, across, (width, height) = -(-len(layers) // ABREAST), ABREAST, SMALL
    figure, axes = style.new(width * across + 1.4, height * down + 0.3, down, across)
    figure.set_dpi(200)  # of what is a picture
    for one in axes.flat:
        one.set_visible(False)
    for row in surveyed.rows():
        place = layers.index(row["layer"])
        one = axes.flat[place] if wrapped else axes[place, positions.index(row["position"])]
        one.set_visible(True)
        one.set_title(row["site"])
        paint(one, row, surveyed.colours()[row["corpus"]])
    for column in axes.T:
        shown = [one for one in column if one.get_visible()]
        if shown:
            shown[-1].set_xlabel("dimension")
    for one in axes[:, 0]:
        one.set_ylabel("activation (raw units)")
    if surveyed.rows():
        from matplotlib.lines import Line2D

        lines = [Line2D([], [], ls="", marker="o", color=c) for c in surveyed.colours().values()]
        figure.legend(lines, surveyed.corpora(), loc="outside right upper")
    else:
        axes[0, 0].set_visible(True)
        style.blank(axes[0, 0], "nothing was surveyed")
    return figure
