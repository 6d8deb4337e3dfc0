"""Figures that stages show: what holds of every one of them."""

from pkgutil import resolve_name
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pyarrow as pa

from saegrid.pages import figures
from saegrid.pages.figures import captions
from saegrid.pages.figures.grid import Grid
from saegrid.stages import load
from saegrid.stages.stage import Figure

SHOWN = {
    one.name: one for stage in load().values() for one in stage.shows if isinstance(one, Figure)
}
"""The figures that stages show, by name."""
FACTS = {
    "all": {"edit_lengths": {"1": 6667, "10": 1, "2": 2268}, "token_lengths": {"9": 3, "12": 4}},
    "kept": {"edit_lengths": {"1": 397, "2": 178}, "token_lengths": {"12": 3, "9": 1}},
}
NOTHING = {name: {"edit_lengths": {}, "token_lengths": {}} for name in ("all", "kept")}
"""Counts of a corpus without texts."""


def features(*counts: int, masked: int | None = 100, tokens: int = 1000) -> pa.Table:
    """A features table with these numbers of active tokens."""
    n = np.array(counts, np.int64)
    inside = pa.array(n / masked) if masked else pa.nulls(len(n), pa.float64())
    return pa.table(
        {"feature": np.arange(len(n)), "density": n / tokens, "density_in_edit": inside}
    )


CELLS = {
    "L7R-32x": features(50, 10, 1),
    "L7A-32x": features(20, 2),
    "L7A-8x": features(5),
    "L15A-8x": features(90, 9, 9, 1),
}


def svg(name: str, grid: Grid) -> str:
    """A figure that a stage shows, as SVG."""
    return figures.svg(SHOWN[name].draw, grid)


def drawn(name: str, grid: Grid):
    """A figure that a stage shows."""
    return resolve_name(SHOWN[name].draw)(grid)


def grid_of(cells, table=None, name="", facts=FACTS) -> Grid:
    """A grid; table: that of each cell from which the figure of this name is drawn."""
    tables = {SHOWN[name].table: dict.fromkeys(cells, table)} if table is not None else {}
    return Grid(cells, facts, [0.01, 0.001], tables)


def check(name: str, table: pa.Table | None = None) -> None:
    """A figure that a stage shows, drawn from this table of each cell: the same bytes again,
    whatever a user has set; it may lack cells and texts, and its caption is a sentence."""
    grid = grid_of(CELLS, table, name)
    image = svg(name, grid)
    assert image == svg(name, grid)
    assert "<dc:date>" not in image
    assert ElementTree.fromstring(image.encode()).tag.endswith("svg")
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "x", "axes.grid": False}):
        assert svg(name, grid) == image
        assert matplotlib.rcParams["font.size"] == 30
    assert svg(name, grid_of({}, table, name, NOTHING))
    assert svg(name, grid_of({"L1R-8x": features()}, table, name, NOTHING))
    ((path, caption),) = captions({name: SHOWN[name].draw})
    assert path == f"figures/{name}.svg"
    assert caption.endswith("."), f"the CAPTION of {name} ends with a full stop"
