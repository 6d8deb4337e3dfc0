"""Error against sparsity: the frontier of a sweep, with baselines (C2)."""

from typing import TYPE_CHECKING

from saegrid.figures import style
from saegrid.figures.judged import Judged, kind, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Mean squared error against L0 on held-out tokens, one panel a site: low and to the left is "
    "better. Lines are baselines: PCA of that rank, a random dictionary of the same width "
    "at that L0."
)
LINES = {"pca": "-", "random": ":"}
"""Baselines that are drawn, and their dashes."""
EXACT = 1e-6
"""FVU below which a baseline is not drawn: of as many directions as dimensions nothing is left."""


def draw(judged: Judged) -> "Figure":
    """A point an SAE, a line a baseline."""
    sites, looks = judged.sites(), judged.looks()
    figure, axes = panels(len(sites))
    seen: dict[str, object] = {}
    for (site, rows), one in zip(sites.items(), axes, strict=True):
        for method, dashes in LINES.items():
            mine = [row for row in judged.baselines.get(site, ()) if row["method"] == method]
            # Of a random dictionary one line a width: wider ones explain more at the same L0.
            for width in sorted({row["width"] for row in mine} if method == "random" else {None}):
                wide = [row for row in mine if width in (None, row["width"])]
                points = sorted(
                    (row["l0"], row["mse"]) for row in wide if (row["fvu"] or 0) > EXACT
                )
                if not points:
                    continue
                how = {"ls": dashes, "lw": 1, "marker": "x", "markersize": 4, "color": style.GREY}
                seen.setdefault(method, one.plot(*zip(*points, strict=True), **how)[0])
        for row in rows:
            name = kind(row)
            how = {"ls": "", "markersize": 4.5, **looks[name]}
            # An SAE without any active feature has no place on a log axis.
            l0, mse = ([row["l0"]], [row["mse"]]) if row["l0"] > 0 else ([], [])
            seen.setdefault(name, one.plot(l0, mse, **how)[0])
        one.set_title(site)
        one.set_xlabel("L0")
        if any(len(line.get_xdata()) for line in one.lines):
            one.set_xscale("log")
            one.set_yscale("log")
            style.plain_log(one.xaxis)
            style.plain_log(one.yaxis)
    if axes:
        axes[0].set_ylabel("MSE")
        figure.legend(list(seen.values()), list(seen), loc="outside right center")
    return figure
