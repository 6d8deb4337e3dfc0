"""What the figures of a survey are drawn from: its tables of layers and of dimensions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.figures import style

COLUMNS = ("dimension", "mean", "sd", "mean_robust", "sd_robust", "outlier")
"""Of the table of dimensions."""


@dataclass(frozen=True)
class Surveyed:
    """The tables of a survey, see `survey.Survey`."""

    layers: pa.Table
    dimensions: pa.Table

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `layers` that are of all tokens."""
        return [row for row in self.layers.to_pylist() if row["tokens"] == "all"]

    def corpora(self) -> list[str]:
        """In the order of the table."""
        return list(dict.fromkeys(row["corpus"] for row in self.rows()))

    def layers_there(self) -> list[int]:
        """Layers, from the first on."""
        return sorted({row["layer"] for row in self.rows()})

    def positions(self) -> list[str]:
        """Positions, in the order of the table."""
        return list(dict.fromkeys(row["position"] for row in self.rows()))

    def colours(self) -> dict[str, str]:
        """Colour of each corpus."""
        colours = style.COLOURS
        return {name: colours[i % len(colours)] for i, name in enumerate(self.corpora())}

    def sites(self) -> Iterator[tuple[Mapping[str, Any], dict[str, np.ndarray]]]:
        """Each row of `rows` with the columns of its dimensions, as arrays."""
        for row in self.rows():
            here = (pc.field("corpus") == row["corpus"]) & (pc.field("site") == row["site"])
            mine = self.dimensions.filter(here)
            yield row, {name: mine[name].to_numpy() for name in COLUMNS}
