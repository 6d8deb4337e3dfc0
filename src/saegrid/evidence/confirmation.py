"""Discoveries over all cells, and their confirmation on texts that were not searched.

A feature is discovered where its family-wise p over all cells is at most alpha. It is confirmed on
another part by the largest statistic over all that was discovered, in the direction in which it was
discovered: Holm's correction of so many permutation p could confirm none by construction.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.evidence import classical, intervals, maxima, multiplicity
from saegrid.evidence.contrast import CLASSES, PAIRS
from saegrid.evidence.discovery import (
    MAGNITUDE,
    NUISANCES,
    PLAIN,
    SCHEMA,
    WORD,
    Question,
    Sides,
    columns_of,
    effects,
    to_table,
)

VARIANTS = (MAGNITUDE, NUISANCES, WORD)
CELL_SCHEMA = pa.schema(
    [
        *SCHEMA,
        ("p_maxt_cell", pa.float64()),
        ("p_maxt", pa.float64()),
        ("p_maxt_magnitude", pa.float64()),
        ("p_maxt_nuisances", pa.float64()),
        ("p_maxt_word", pa.float64()),
        ("q", pa.float64()),
        ("q_by", pa.float64()),
        ("discovered", pa.bool_()),
        ("effect_confirm", pa.float64()),
        ("p_confirm", pa.float64()),
        ("confirmed", pa.bool_()),
    ]
)
"""Columns of tests.parquet of a cell: those of the search, and p_maxt_cell, p_maxt (family-
wise over the features of the cell, over those of all cells), p_maxt_magnitude, ... (likewise, of
the other forms of the test), q, q_by (Benjamini and Hochberg, Yekutieli, of p within the cell);
effect_confirm, p_confirm (by the largest statistic over all that was discovered), confirmed: null
where it was not discovered."""


class Family(NamedTuple):
    """The largest statistics of a contrast over the cells of one kind."""

    maxima: dict[str, np.ndarray]
    """(permutation + 1,) by variant."""

    def adjusted(self, variant: str, statistic: np.ndarray) -> np.ndarray:
        """(feature,) family-wise p; NaN where the contrast has no such form."""
        if variant not in self.maxima:
            return np.full(len(statistic), np.nan)
        return maxima.adjusted(statistic, self.maxima[variant])


def family(largest: Sequence[Mapping[str, np.ndarray]], contrast: str) -> Family:
    """The family of a contrast over cells. largest: `discovery.Found.maxima` of each."""
    merged: dict[str, np.ndarray] = {}
    for of_cell in largest:
        for key, values in of_cell.items():
            name, _, variant = key.partition("/")
            # Cells without a testable feature have one column.
            if name == contrast and len(values) > 1:
                before = merged.get(variant)
                merged[variant] = values if before is None else np.maximum(before, values)
    return Family(merged)


def discovered(
    table: pa.Table, families: Mapping[str, Family], own: Mapping[str, np.ndarray], alpha: float
) -> dict[str, np.ndarray]:
    """The columns of `CELL_SCHEMA` that follow from discovery alone. own: maxima of the cell."""
    n = table.num_rows
    columns = {name: np.full(n, np.nan) for name in CELL_SCHEMA.names[len(SCHEMA.names) :]}
    contrast = np.array(table["contrast"].to_pylist(), object)
    for name, of in families.items():
        rows = contrast == name
        statistic = table["statistic"].to_numpy()[rows]
        p = table["p"].to_numpy()[rows]
        columns["p_maxt"][rows] = of.adjusted(PLAIN, statistic)
        if name in own and len(own[name]) > 1:
            columns["p_maxt_cell"][rows] = maxima.adjusted(statistic, own[name])
        for variant in VARIANTS:
            values = table[f"statistic_{variant}"].to_numpy()[rows]
            columns[f"p_maxt_{variant}"][rows] = np.where(
                np.isnan(values), np.nan, of.adjusted(variant, np.nan_to_num(values))
            )
        columns["q"][rows] = multiplicity.adjusted(p)
        columns["q_by"][rows] = multiplicity.adjusted(p, "by")
    columns["discovered"] = columns["p_maxt"] <= alpha
    return columns


class Checked(NamedTuple):
    """Some features of a cell on another part."""

    effects: dict[str, np.ndarray]
    """Counts, rates and effect, by column of `discovery.SCHEMA`."""
    statistic: np.ndarray
    """(feature,) float64, positive in the direction of the discovery."""
    single: np.ndarray
    """(feature,) one-sided p of the feature by itself."""
    largest: np.ndarray
    """(permutation + 1,) float32 largest statistic of each column over these features."""


def checked(question: Question, chosen: Sides, sign: np.ndarray, column: int = 0) -> Checked:
    """The statistics of some features in the direction in which they were discovered.

    sign: (feature,) +1 or -1. column: the permutation that is taken for the data; not 0 for
    shuffled labels.
    """
    columns = columns_of(question, chosen) * sign.astype(np.float32)[:, None]
    data = columns[:, column : column + 1]
    single = (columns >= maxima.lowered(data)).mean(axis=1)
    largest = columns.max(axis=0, initial=-np.inf)
    return Checked(effects(question, chosen), data[:, 0].astype(np.float64), single, largest)


def together(parts: Sequence[Checked], column: int = 0) -> list[np.ndarray]:
    """(feature,) p of each cell's features by the largest statistic over all cells' (max-T over the
    discovered set): the share of columns, the data among them, that reach it."""
    if not parts:
        return []
    largest = np.max([one.largest for one in parts], axis=0)
    return [maxima.reached(one.statistic, largest) for one in parts]


class Drawn(NamedTuple):
    """Cluster-bootstrap intervals (feature,) of effects, and of lifts where rates are compared."""

    low: np.ndarray
    high: np.ndarray
    lift_low: np.ndarray
    lift_high: np.ndarray


def drawn_intervals(question: Question, chosen: Sides, weights: np.ndarray) -> Drawn:
    """The intervals of the effects of some features.

    weights: (text, draw + 1), see `intervals.resampled`. Of classes and pairs the effect is the
    difference of rates, of scores Spearman's rho (of ranks that stay as they are, with weights).
    """
    design = question.design
    if design.kind not in (PAIRS, CLASSES):
        drawn = _correlations(chosen, design.score, weights.astype(np.float64))
        none = np.full(chosen.a.shape[1], np.nan)
        return Drawn(*intervals.percentiles(drawn), none, none)
    if design.kind == PAIRS:
        sides = [(chosen.a, weights), (chosen.b, weights)]
    else:
        sides = [
            (chosen.a, weights * (design.score == sign).astype(np.float32)[:, None])
            for sign in (1, -1)
        ]
    fires = [Sides(matrix, None).firing() @ drawn for matrix, drawn in sides]
    texts = [drawn.sum(axis=0) for _, drawn in sides]
    a, b = (of / np.maximum(n, 1) for of, n in zip(fires, texts, strict=True))
    # A half is added to the counts of every draw, as to those of the data (Haldane).
    above, below = ((of + 0.5) / (n + 1) for of, n in zip(fires, texts, strict=True))
    return Drawn(*intervals.percentiles(a - b), *intervals.percentiles(above / below))


def _correlations(chosen: Sides, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(feature, draw) weighted Pearson correlation of ranks."""
    ranks = chosen.magnitude().astype(np.float64)
    y = classical.average_ranks(score)
    y = (y - y.mean()) / len(y)
    total = weights.sum(axis=0)
    mean_y, mean_r = y @ weights / total, ranks @ weights / total
    var_y = np.square(y) @ weights / total - mean_y**2
    var_r = ranks.multiply(ranks) @ weights / total - mean_r**2
    both = ranks @ (weights * y[:, None]) / total - mean_r * mean_y
    scale = np.sqrt(np.maximum(var_r * var_y, 0))
    return np.divide(both, scale, out=np.full_like(both, np.nan), where=scale > 0)


class Rates(NamedTuple):
    """Rates of high labels where a feature fires, and of firing where the label is high."""

    n_fires: np.ndarray
    n_high_fires: np.ndarray
    high_given_fires: np.ndarray
    low: np.ndarray
    """Exact 95 % interval of it, which takes texts for independent."""
    high: np.ndarray
    low_cluster: np.ndarray
    """Cluster-bootstrap interval of it; null where no text with a high label fires."""
    high_cluster: np.ndarray
    fires_given_high: np.ndarray
    base: float
    """Share of texts with a high label."""
    difference: np.ndarray
    """Mean label where it fires less that where it does not."""


def rates(sides: Sides, label: np.ndarray, at_least: float, weights: np.ndarray) -> Rates:
    """Necessity and sufficiency of features for a high label (S0.35). label: (text,); weights:
    (text, draw + 1)."""
    firing = sides._replace(b=None).firing()
    high = (label >= at_least).astype(np.float32)
    n_fires = np.asarray(firing.sum(axis=1)).ravel()
    n_high = firing @ high
    low, top = intervals.exact(n_high, n_fires)
    drawn = intervals.ratio(firing, weights * high[:, None], weights)
    low_cluster, high_cluster = intervals.percentiles(drawn)
    none = (n_high == 0) | (n_fires == 0)
    total, n = label.sum(), len(label)
    inside = firing.astype(np.float64) @ label
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = inside / n_fires - (total - inside) / (n - n_fires)
        share = n_high / n_fires
    return Rates(
        n_fires,
        n_high,
        share,
        low,
        top,
        np.where(none, np.nan, low_cluster),
        np.where(none, np.nan, high_cluster),
        n_high / max(float(high.sum()), 1),
        float(high.mean()),
        difference,
    )


def shrinkage(effect: np.ndarray, confirmed: np.ndarray) -> float | None:
    """Slope through zero of the effects on the other part on those of discovery; None of none."""
    known = ~np.isnan(effect) & ~np.isnan(confirmed)
    total = float(np.square(effect[known]).sum())
    return float((effect[known] * confirmed[known]).sum() / total) if total else None


def booleans(values: np.ndarray) -> pa.Array:
    """Truth values of numbers, null where there is none."""
    return pa.array(np.nan_to_num(values) == 1, mask=np.isnan(np.asarray(values, float)))


def table_of_cell(table: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    """tests.parquet of a cell from its discovery table and further columns."""
    known = {name: table[name] for name in SCHEMA.names}
    own = {
        name: booleans(values) if CELL_SCHEMA.field(name).type == pa.bool_() else values
        for name, values in columns.items()
    }
    return to_table({**known, **own}, CELL_SCHEMA)
