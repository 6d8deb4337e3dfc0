"""The frontier of a sweep: error against sparsity, with baselines."""

from typing import TYPE_CHECKING

from saegrid.pages.figures import style
from saegrid.pages.figures.judged import Judged, kind, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Mean squared error against L0 on held-out tokens, one panel a site: low and to the left is "
    "better. Lines are baselines on the same tokens: PCA of that rank, a random dictionary of an "
    "SAE's width at that L0, with the width at its end where there are several."
)
LINES = {"pca": ("-", "x"), "random": (":", "+")}
"""Baselines that are drawn, with their dashes and markers."""
EXACT = 1e-6
"""FVU below which a baseline is not drawn, as one with as many directions as dimensions."""


def draw(judged: Judged) -> "Figure":
    """The figure: a point an SAE, a line a baseline."""
    groups, names, looks = judged.groups(), judged.names(), judged.looks()
    figure, axes = panels(len(groups))
    seen: dict[str, object] = {}
    for (tokens, rows), one in zip(groups.items(), axes, strict=True):
        for method, (dashes, marker) in LINES.items():
            baseline = [row for row in judged.baselines.get(tokens, ()) if row["method"] == method]
            # Of a random dictionary one line a width: wider ones explain more at the same L0.
            widths = sorted({row["width"] for row in baseline} if method == "random" else {None})
            for width in widths:
                wide = [row for row in baseline if width in (None, row["width"])]
                points = sorted(
                    (row["l0"], row["mse"]) for row in wide if (row["fvu"] or 0) > EXACT
                )
                if not points:
                    continue
                how = {
                    "ls": dashes,
                    "marker": marker,
                    "color": style.GREY,
                    "lw": 1,
                    "markersize": 5,
                }
                seen.setdefault(method, one.plot(*zip(*points, strict=True), **how)[0])
                if len(widths) > 1:
                    how = {"xytext": (3, 3), "textcoords": "offset points", "color": style.GREY}
                    one.annotate(f"{width:,}", points[-1], fontsize=7, **how)
        for row in rows:
            name = kind(row)
            how = {"ls": "", "markersize": 4.5, **looks[name]}
            # An SAE without any active feature has no place on a log axis.
            l0, mse = ([row["l0"]], [row["mse"]]) if row["l0"] > 0 else ([], [])
            seen.setdefault(name, one.plot(l0, mse, **how)[0])
        one.set_title(names[tokens])
        one.set_xlabel("L0 (active features per token)")
        if any(len(line.get_xdata()) for line in one.lines):
            one.set_xscale("log")
            one.set_yscale("log")
            style.plain_log(one.xaxis)
            style.plain_log(one.yaxis)
    if axes:
        axes[0].set_ylabel("mean squared error")
        figure.legend(list(seen.values()), list(seen), loc="outside right center")
    return figure
