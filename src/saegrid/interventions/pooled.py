"""Choices of features over all cells: their gains and differences between them, with intervals.

Resampled are cells, and within each the features: a feature brings all of its choices and ways of
steering with it, so that differences are paired where the same features are compared.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.evidence.intervals import percentiles, resampled
from saegrid.interventions.choice_table import GROUPS, LENS_SCORE, MEANING, OWN, RANDOM
from saegrid.interventions.dose_table import CONTROL, FEATURE, MEANS, PROMPT
from saegrid.interventions.headline import DRAWS, at_chosen

SCHEMA = pa.schema(
    [
        ("choice", pa.string()),
        ("arm", pa.string()),
        ("less_choice", pa.string()),
        ("less_arm", pa.string()),
        ("n_cells", pa.int32()),
        ("n_features", pa.int32()),
        ("n_sound", pa.int32()),
        ("gain", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n_above", pa.int32()),
        ("delta_target", pa.float64()),
        ("delta_low", pa.float64()),
        ("delta_high", pa.float64()),
        ("surprisal_more", pa.float64()),
        ("rep3", pa.float64()),
        ("norm_share", pa.float64()),
    ]
)
"""Columns of steering_by_choice.parquet: a row for each choice and arm, then differences."""
DEFINITIONS = {
    "less_choice": "of a difference: the choice that is taken away, with less_arm; null where the "
    "row is of one choice alone",
    "n_cells": "cells with features of the choice, of both where it is a difference",
    "n_features": "features of the choice over these cells",
    "n_sound": "those with a sound dose on the prompts of `dose`; gain and delta_target of the "
    "others are 0",
    "gain": "mean over features of the gain of inclusion on the prompts of `report`, each at its "
    "own dose, or the difference of two such means; low, high: 95 % percentile interval, cells "
    "and features within them drawn with replacement",
    "n_above": "cells in which it is above 0",
    "delta_target": "the same of the change of log-probability of the own words' tokens on neutral "
    "texts, nats, with delta_low and delta_high",
    "surprisal_more": "mean of surprisal - surprisal_plain at these doses, nats, over the features "
    "with one; of a difference none",
    "rep3": "mean share of repeated runs of three tokens at these doses, likewise",
    "norm_share": "mean of the doses' shift in units of the site's norm, likewise",
}
Way = tuple[str, str]
"""A choice and an arm."""
ARMS = (FEATURE, CONTROL, MEANS, PROMPT)
WAYS: tuple[Way, ...] = tuple((name, arm) for name in GROUPS for arm in ARMS)
DIFFERENCES: tuple[tuple[Way, Way], ...] = (
    *(((OWN, FEATURE), (name, FEATURE)) for name in (LENS_SCORE, MEANING, RANDOM)),
    *(((LENS_SCORE, FEATURE), (name, FEATURE)) for name in (MEANING, RANDOM)),
    ((MEANING, FEATURE), (RANDOM, FEATURE)),
    *(((name, FEATURE), (name, arm)) for name in GROUPS for arm in ARMS[1:]),
)
"""Comparisons: each choice with the others, and each with other ways to the same words."""


class Units(NamedTuple):
    """Features over all cells."""

    cell: np.ndarray
    """(feature,) number of its cell."""
    member: Mapping[str, np.ndarray]
    """By choice: (feature,) float64, 1 where it belongs to it."""
    rows: list[Mapping[str, Mapping[str, float]]]
    """By arm: the row of `report` at the dose that was chosen; arms without a sound one lack."""

    def values(self, arm: str, name: str) -> np.ndarray:
        """(feature,) float64: a number of the arm, 0 where it has no sound dose."""
        return np.array([row[arm][name] if arm in row else 0.0 for row in self.rows])


def units(choices: Sequence[pa.Table], doses: Sequence[pa.Table]) -> Units:
    """The features that were steered. choices, doses: the tables of each cell, see `choice_table`
    and `dose_table`."""
    cell, groups, rows = [], [], []
    for number, (choice, table) in enumerate(zip(choices, doses, strict=True)):
        reported = at_chosen(table)
        for line in choice.to_pylist():
            if line["groups"]:
                of = {arm: row for (f, arm), row in reported.items() if f == line["feature"]}
                cell.append(number)
                groups.append(line["groups"])
                rows.append(of)
    member = {name: np.array([float(name in some) for some in groups]) for name in GROUPS}
    return Units(np.array(cell, np.int64), member, rows)


def weights(cell: np.ndarray, seed: int) -> np.ndarray:
    """(feature, draw + 1): how often each feature is drawn where cells are, and then features in
    each of them; column 0 takes each once."""
    rng = np.random.default_rng([seed, 3])
    drawn = resampled(cell, DRAWS, rng).astype(np.float64)
    for number in np.unique(cell):
        inside = np.flatnonzero(cell == number)
        drawn[inside] *= resampled(np.arange(len(inside)), DRAWS, rng)
    return drawn


def by_choice(choices: Sequence[pa.Table], doses: Sequence[pa.Table], seed: int) -> pa.Table:
    """steering_by_choice.parquet, see `SCHEMA`. Choices without a feature have no row."""
    of = units(choices, doses)
    drawn = weights(of.cell, seed) if of.rows else np.empty((0, DRAWS + 1))
    rows = [_row(of, drawn, way, None) for way in WAYS if of.member[way[0]].any()]
    rows += [
        _row(of, drawn, way, less)
        for way, less in DIFFERENCES
        if of.member[way[0]].any() and of.member[less[0]].any()
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def _row(of: Units, drawn: np.ndarray, way: Way, less: Way | None) -> dict[str, object]:
    """The row of a choice and arm, or of the difference of two."""
    choice, arm = way
    inside = np.flatnonzero(of.member[choice])
    sound = [of.rows[i][arm] for i in inside if arm in of.rows[i]]
    cells = set(of.cell[inside])
    if less is not None:
        cells &= set(of.cell[of.member[less[0]] > 0])
    gain, delta = (_difference(of, drawn, way, less, name) for name in ("gain", "delta_target"))
    alone = [
        _difference(of, (of.cell == cell)[:, None].astype(np.float64), way, less, "gain")
        for cell in sorted(cells)
    ]

    def mean(values: Sequence[float]) -> float | None:
        return float(np.mean(values)) if len(values) and less is None else None

    return {
        "choice": choice,
        "arm": arm,
        "less_choice": less and less[0],
        "less_arm": less and less[1],
        "n_cells": len(cells),
        "n_features": len(inside),
        "n_sound": len(sound),
        **_interval(("gain", "low", "high"), gain),
        "n_above": sum(bool(one[0] > 0) for one in alone),
        **_interval(("delta_target", "delta_low", "delta_high"), delta),
        "surprisal_more": mean([row["surprisal"] - row["surprisal_plain"] for row in sound]),
        "rep3": mean([row["rep3"] for row in sound]),
        "norm_share": mean([row["norm_share"] for row in sound]),
    }


def _difference(of: Units, drawn: np.ndarray, way: Way, less: Way | None, name: str) -> np.ndarray:
    """(draw,) mean of a number over the features of a choice, less that of another; NaN where a
    draw has none of them."""

    def mean(choice: str, arm: str) -> np.ndarray:
        taken = of.member[choice] @ drawn
        with np.errstate(invalid="ignore", divide="ignore"):
            return (of.member[choice] * of.values(arm, name)) @ drawn / taken

    return mean(*way) - (mean(*less) if less else 0.0)


def _interval(names: tuple[str, str, str], values: np.ndarray) -> dict[str, float]:
    """Column 0, and the percentile interval of the others."""
    low, high = percentiles(values[None])
    return dict(zip(names, (float(values[0]), float(low[0]), float(high[0])), strict=True))
