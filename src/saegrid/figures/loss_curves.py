"""Loss over the tokens of a training, reconstruction and sparsity apart (S1.5, S1.6)."""

from typing import TYPE_CHECKING

import numpy as np

from saegrid.figures import style
from saegrid.figures.judged import Judged, kind, panels

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure

CAPTION = (
    "Terms of the loss over the tokens of the training, a panel each, a line an SAE; broken lines "
    "are held-out tokens. Terms are in the units of each recipe: compare lines of one recipe only."
)
TERMS = ("reconstruction", "sparsity", "auxiliary")


def draw(judged: Judged) -> "Figure":
    """A panel a term; no panel for one that no recipe has."""
    terms = [name for name in TERMS if any(_there(h, name) for h in judged.histories.values())]
    figure, axes = panels(max(1, len(terms)), width=4)
    if not terms:
        style.blank(axes[0], "no SAE of this study was trained here")
    looks, seen = judged.looks(), {}
    kinds = {row["cell"]: kind(row) for row in judged.rows()}
    for name, one in zip(terms, axes, strict=bool(terms)):
        for cell, history in judged.histories.items():
            colour = looks[kinds[cell]]["color"]
            for column, dashes in ((name, "-"), (f"held_{name}", "--")):
                x, y = (_numbers(history, key) for key in ("tokens", column))
                known = np.isfinite(y) & (y > 0)
                if known.any():
                    # One measurement alone is no line.
                    how = {"ls": dashes, "lw": 0.9, "marker": "." if known.sum() == 1 else ""}
                    line = one.plot(x[known], y[known], color=colour, **how)[0]
                    seen.setdefault(kinds[cell], line)
        one.set_title(name)
        one.set_yscale("log")
        one.set_xlabel("tokens")
        style.thousands(one.xaxis)
    if seen:
        figure.legend(list(seen.values()), list(seen), loc="outside right center")
    return figure


def _numbers(history: "pa.Table", name: str) -> np.ndarray:
    """A column as float64, NaN where it is null."""
    return history[name].to_numpy().astype(np.float64)


def _there(history: "pa.Table", name: str) -> bool:
    """Whether a term is ever more than zero."""
    return bool(np.nan_to_num(_numbers(history, name)).max(initial=0) > 0)
