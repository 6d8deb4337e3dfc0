"""The cross-entropy recovered with the SAE spliced into the model, against L0."""

from typing import TYPE_CHECKING

from saegrid.pages.figures import style
from saegrid.pages.figures.judged import Judged, kind, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Cross-entropy recovered with the SAE spliced in, against L0, one panel a site: 1 is the model "
    "itself, 0 the site set to zero; high and to the left is better. SAEs whose value was not "
    "measured are left out."
)


def draw(judged: Judged) -> "Figure":
    """The figure: a panel a site, with a point an SAE."""
    groups, names, looks = judged.groups(), judged.names(), judged.looks()
    figure, axes = panels(len(groups))
    seen: dict[str, object] = {}
    for (tokens, rows), one in zip(groups.items(), axes, strict=True):
        drawn = [row for row in rows if row["l0"] > 0 and row.get("ce_recovered") is not None]
        for row in drawn:
            name = kind(row)
            how = {"ls": "", "markersize": 4.5, **looks[name]}
            seen.setdefault(name, one.plot([row["l0"]], [row["ce_recovered"]], **how)[0])
        one.set_title(names[tokens])
        one.set_xlabel("L0 (active features per token)")
        if drawn:
            one.set_xscale("log")
            style.plain_log(one.xaxis)
    if axes:
        axes[0].set_ylabel("share of cross-entropy recovered")
    if seen:
        figure.legend(list(seen.values()), list(seen), loc="outside right center")
    return figure
