"""The histograms of the codes of every SAE."""

from typing import TYPE_CHECKING

import numpy as np

from saegrid.pages.figures import style
from saegrid.pages.figures.judged import Judged, kind, panels, site

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "How strong features fire where they fire, on held-out tokens: activations that are not zero, "
    "as shares of all activations of all features, four bins an octave, the outermost with all "
    "beyond; one panel a site. All others are exact zeros."
)


def draw(judged: Judged) -> "Figure":
    """The figure: a panel a site, with a line an SAE."""
    rows = [row for row in judged.rows() if sum(judged.latents.get(row["cell"], _NONE)["counts"])]
    sites, looks = list(dict.fromkeys(map(site, rows))), judged.lines()
    figure, axes = panels(max(1, len(sites)))
    if not rows:
        style.blank(axes[0], "no code is known, or none is active")
        return figure
    seen: dict[str, object] = {}
    for row in rows:
        one, codes = axes[sites.index(site(row))], judged.latents[row["cell"]]
        edges, counts = (np.array(codes[name], np.float64) for name in ("edges", "counts"))
        share = counts / (row["n_tokens"] * row["d_sae"])
        here = np.flatnonzero(counts)
        span = slice(here[0], here[-1] + 1)
        middle = np.sqrt(edges[:-1] * edges[1:])
        how = {"lw": 0.9, "drawstyle": "steps-mid", **looks[kind(row)]}
        line = one.plot(middle[span], share[span], **how)[0]
        seen.setdefault(kind(row), line)
    for name, one in zip(sites, axes, strict=True):
        one.set_title(name)
        one.set_xlabel("activation (raw units)")
        one.set_xscale("log")
        one.set_yscale("log")
        style.plain_log(one.xaxis)
        style.plain_log(one.yaxis)
    axes[0].set_ylabel("share of all activations")
    figure.legend(list(seen.values()), list(seen), loc="outside right center")
    return figure


_NONE = {"counts": []}
