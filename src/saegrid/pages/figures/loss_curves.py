"""The loss curves over the tokens of a training, one panel a term."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from saegrid.pages.browser.charts import spread
from saegrid.pages.figures import style
from saegrid.pages.figures.judged import Judged, kind, site

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Terms of the loss over the tokens of the training: a row a recipe, a column a term, a line an "
    "SAE, with its settings at the end where a recipe has a few; broken lines are held-out tokens. "
    "Terms are in the units of each recipe, so rows cannot be compared with one another."
)
FEW = 8
"""Lines of a panel that are named at most."""
DASHES = {"learned from": "-", "held out": "--"}
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
    saes = {row["cell"]: row["sae"] for row in rows}
    has_saes = set(legend) == set(saes.values())
    for recipe, line in zip(recipes, axes, strict=True):
        cells = [row["cell"] for row in rows if kind(row) == recipe]
        for name, one in zip(terms, line, strict=True):
            ends = {cell: _draw(one, histories[cell], name, colours[cell]) for cell in cells}
            ends = {cell: end for cell, end in ends.items() if end is not None}
            if ends:
                one.set_yscale("log")
                style.plain_log(one.yaxis)
                style.thousands(one.xaxis)
                if not has_saes:
                    _name(one, [(saes[cell], colours[cell], end) for cell, end in ends.items()])
            else:
                one.set_visible(False)
            one.set_title(f"{recipe}: {name}")
    for column in axes.T:
        last = [one for one in column if one.get_visible()][-1]
        last.set_xlabel("tokens of the training")
    for one in axes[:, 0]:
        one.set_ylabel("term of the loss")
    lines = [Line2D([], [], color=colour) for colour in legend.values()]
    lines += [Line2D([], [], color=style.GREY, ls=dashes) for dashes in DASHES.values()]
    words = [*legend, *DASHES]
    figure.legend(lines, words, loc="outside right upper", ncols=1 + len(lines) // 30)
    return figure


def _name(one: "Axes", lines: Sequence[tuple[str, Any, float]]) -> None:
    """Write what tells the SAEs of a panel apart at the ends of their lines, where several of a few
    lines are drawn; lines: SAE, colour, last value."""
    from matplotlib.colors import to_rgb

    short = _apart([sae for sae, _, _ in lines])
    if len(set(short)) < 2 or len(lines) > FEW:
        return
    low, high = np.log10(one.get_ylim())
    heights = spread([(np.log10(end) - low) / (high - low) for _, _, end in lines], 0.11)
    for text, (_, colour, _), height in zip(short, lines, heights, strict=True):
        how = {"color": 0.6 * np.array(to_rgb(colour)), "fontsize": 7, "va": "center"}
        one.annotate(text, (1.02, height), xycoords="axes fraction", **how)


def _apart(names: Sequence[str]) -> list[str]:
    """Names without the parts at their beginning that all have: 4x.k_8 and 4x.k_16 as k_8, k_16."""
    if len(set(names)) < 2:
        return list(names)
    split = [name.split(".") for name in names]
    alike = next(
        (n for n in range(min(map(len, split))) if len({parts[n] for parts in split}) > 1),
        min(map(len, split)) - 1,
    )
    return [".".join(parts[alike:]) for parts in split]


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


def _draw(one: "Axes", history: "pa.Table", name: str, colour: Any) -> float | None:
    """Draw a term on training and on held-out tokens; return its last value on the first of these
    that has any, None where neither has."""
    end = None
    for column, dashes in zip((name, f"held_{name}"), DASHES.values(), strict=True):
        x, y = (_numbers(history, key) for key in ("tokens", column))
        known = np.isfinite(y) & (y > 0)
        if known.any():
            # One measurement alone is no line.
            how = {"ls": dashes, "lw": 0.9, "marker": "." if known.sum() == 1 else ""}
            one.plot(x[known], y[known], color=colour, **how)
            end = float(y[known][-1]) if end is None else end
    return end


def _numbers(history: "pa.Table", name: str) -> np.ndarray:
    """A column of a history as float64, NaN where it is null."""
    return history[name].to_numpy().astype(np.float64)


def _occurs(history: "pa.Table", name: str) -> bool:
    """Return True if a term is ever more than zero."""
    return bool(np.nan_to_num(_numbers(history, name)).max(initial=0) > 0)
