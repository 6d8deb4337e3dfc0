"""Agreement of attribution, integrated gradients and activation with true ablation, by layer."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from saegrid.interventions.agreement import ACTIVATION, DRAWN, GRADIENT, INTEGRATED
from saegrid.pages.figures import style
from saegrid.pages.figures.grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CAPTION = (
    "Agreement with true ablation over layers: mean over prompts of the correlation within a "
    "prompt, over active features drawn by seed, with 95 % intervals over prompts. One gradient, "
    "integrated gradients from all features taken away, and plain activation; a row of panels for "
    "each position and SAE."
)
LINES = {GRADIENT: "one gradient", INTEGRATED: "integrated gradients", ACTIVATION: "activation"}
STATISTICS = {"pearson": "Pearson", "spearman": "Spearman"}


def _numbers(table: pa.Table, predictor: str, statistic: str) -> tuple[float, float, float]:
    """Value and interval of an agreement.parquet; NaN where it has none."""
    wanted = {"sample": DRAWN, "predictor": predictor, "statistic": statistic}
    for row in table.to_pylist():
        if wanted.items() <= row.items() and row["value"] is not None:
            return row["value"], row["low"], row["high"]
    return np.nan, np.nan, np.nan


def draw(grid: Grid) -> "Figure":
    """The figure: Pearson and Spearman beside each other, a row of panels a position and SAE."""
    series = grid.series()
    rows = max(1, len(series))
    figure, axes = style.new(7.6, 0.6 + 2.1 * rows, rows, 2, sharey=True)
    tables = grid.tables["attribution.agreement"]
    for (position, sae), line in zip(series, axes, strict=False):
        cells = [cell for cell in series[position, sae] if str(cell) in tables]
        layers = [cell.site.layer for cell in cells]
        for (statistic, words), one in zip(STATISTICS.items(), line, strict=True):
            for number, (predictor, label) in enumerate(LINES.items()):
                several = [_numbers(tables[str(cell)], predictor, statistic) for cell in cells]
                value, low, high = np.array(several).reshape(-1, 3).T
                look = {
                    "color": style.COLOURS[number],
                    "marker": style.MARKERS[number],
                    "linestyle": style.DASHES[number],
                    "label": label,
                }
                errors = [value - low, high - value]
                one.errorbar(layers, value, errors, markersize=4, lw=1.2, capsize=2, **look)
            one.axhline(0, color=style.GREY, lw=0.8)
            one.set_title(f"{position}, {sae}: {words}")
            one.set_ylim(-0.5, 1.05)
            one.set_ylabel("correlation")
            style.layer_axis(one, grid)
    if series:
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
