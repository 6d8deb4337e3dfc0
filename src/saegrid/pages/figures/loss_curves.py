"""The loss curves over the tokens of a training, one panel a term."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.judged import Judged, kind, site

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Terms of the loss over the tokens of the training: a row a recipe, a column a term, a line an "
    "SAE; broken lines are held-out tokens. Terms are in the units of each recipe, so rows cannot "
    "be compared with one another."
)
TERMS = ("reconstruction", "sparsity", "auxiliary")


def draw(judged: Judged) -> "Figure":
    """The figure: a row a recipe, a column a term that any of them has."""
    from matplotlib.lines import Line2D

    rows = [row for row in judged.rows() if row["cell"] in judged.histories]
    histories = {row["cell"]: judged.histories[row["cell"]] for row in rows}
    recipes = list(dict.fromkeys(map(kind, rows)))
    terms = [name for name in TERMS if any(_occurs(h, name) for h in histories.values())]
    down, across = max(1, len(recipes)), max(1, len(terms))
    figure, axes = style.new(3.4 * across + 1.6, 2.1 * down + 0.3, down, across)
    if not terms:
        style.blank(axes[0, 0], "no SAE of this study was trained here")
        return figure
    colours, legend = _colours(rows)
    for recipe, line in zip(recipes, axes, strict=True):
        cells = [row["cell"] for row in rows if kind(row) == recipe]
        for name, one in zip(terms, line, strict=True):
            drawn = [_draw(one, histories[cell], name, colours[cell]) for cell in cells]
            if any(drawn):
                one.set_yscale("log")
                style.plain_log(one.yaxis)
                style.thousands(one.xaxis)
            else:
                one.set_visible(False)
            one.set_title(f"{recipe}: {name}")
    for column in axes.T:
        last = [one for one in column if one.get_visible()][-1]
        last.set_xlabel("tokens of the training")
    for one in axes[:, 0]:
        one.set_ylabel("term of the loss")
    lines = [Line2D([], [], color=colour) for colour in legend.values()]
    figure.legend(lines, list(legend), loc="outside right upper", ncols=1 + len(lines) // 30)
    return figure


def _colours(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The colour of each cell, and the legend: of sites if there are several, else of SAEs.

    Sites go from dark to light in the order of the table.
    """
    several = len({site(row) for row in rows}) > 1
    names = [site(row) if several else row["sae"] for row in rows]
    known = list(dict.fromkeys(names))
    few = not several and len(known) <= len(style.COLOURS)
    legend = dict(zip(known, style.COLOURS if few else style.shades(len(known)), strict=False))
    return {row["cell"]: legend[name] for row, name in zip(rows, names, strict=True)}, legend


def _draw(one: "Axes", history: "pa.Table", name: str, colour: Any) -> bool:
    """Draw a term on training and on held-out tokens; return True if it had a value."""
    drawn = False
    for column, dashes in ((name, "-"), (f"held_{name}", "--")):
        x, y = (_numbers(history, key) for key in ("tokens", column))
        known = np.isfinite(y) & (y > 0)
        if known.any():
            # One measurement alone is no line.
            how = {"ls": dashes, "lw": 0.9, "marker": "." if known.sum() == 1 else ""}
            one.plot(x[known], y[known], color=colour, **how)
            drawn = True
    return drawn


def _numbers(history: "pa.Table", name: str) -> np.ndarray:
    """A column of a history as float64, NaN where it is null."""
    return history[name].to_numpy().astype(np.float64)


def _occurs(history: "pa.Table", name: str) -> bool:
    """Return True if a term is ever more than zero."""
    return bool(np.nan_to_num(_numbers(history, name)).max(initial=0) > 0)
