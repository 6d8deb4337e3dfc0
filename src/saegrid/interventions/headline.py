"""The number of each choice that is reported, at doses that were chosen on other prompts.

A dose is sound where the text is at most `NATS` more surprising than without an edit and its runs
of three tokens repeat in less than `REPEATED`: inclusion alone rewards "book book book". It is
chosen for each feature and arm on the part `dose`, its gain is that of the part `report`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.evidence.intervals import LEVEL
from saegrid.interventions.choice_table import OWN
from saegrid.interventions.dose_table import CONTROL, FEATURE, MEANS, PROMPT
from saegrid.interventions.prompts import DOSE, REPORT

NATS, REPEATED = 1.0, 0.15
DRAWS = 2000
"""Resamples of features for an interval."""
SCHEMA = pa.schema(
    [
        ("choice", pa.string()),
        ("arm", pa.string()),
        ("n_features", pa.int32()),
        ("n_sound", pa.int32()),
        ("gain", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("surprisal_more", pa.float64()),
        ("rep3", pa.float64()),
        ("norm_share", pa.float64()),
        ("own_less", pa.float64()),
        ("own_less_low", pa.float64()),
        ("own_less_high", pa.float64()),
    ]
)
"""Columns of steering_summary.parquet: a row for each choice and arm."""
DEFINITIONS = {
    "n_sound": "features with a sound dose on the prompts of `dose`; the gain of the others is 0",
    "gain": "mean gain of inclusion on the prompts of `report`, each feature at its own dose; low, "
    "high: 95 % percentile interval over features",
    "surprisal_more": "mean of surprisal - surprisal_plain at these doses, nats",
    "rep3": "mean share of repeated runs of three tokens at these doses",
    "norm_share": "mean of the doses' shift in units of the site's norm",
    "own_less": "gain of the choice by own words - gain of this choice, same arm, with interval",
}


def is_sound(row: Mapping[str, Any]) -> bool:
    """Return True where a row of steering.parquet tells of text that is not broken."""
    return (
        row["dose"] >= 0
        and row["surprisal"] - row["surprisal_plain"] <= NATS
        and row["rep3"] < REPEATED
    )


def chosen_doses(table: pa.Table) -> dict[tuple[int, str], float]:
    """By feature and arm the sound dose with the largest gain on the part `dose`, of equal ones the
    smaller; absent where no dose is sound."""
    best: dict[tuple[int, str], tuple[float, float]] = {}
    for row in table.to_pylist():
        key = row["feature"], row["arm"]
        if row["part"] == DOSE and is_sound(row):
            rank = (row["gain"], -row["dose"])
            best[key] = max(best.get(key, rank), rank)
    return {key: -dose for key, (_, dose) in best.items()}


def at_chosen(table: pa.Table) -> dict[tuple[int, str], dict[str, Any]]:
    """By feature and arm the row of the part `report` at the dose that was chosen."""
    doses = chosen_doses(table)
    return {
        (row["feature"], row["arm"]): row
        for row in table.to_pylist()
        if row["part"] == REPORT and doses.get((row["feature"], row["arm"])) == row["dose"]
    }


def summary(table: pa.Table, choice: pa.Table, seed: int) -> pa.Table:
    """steering_summary.parquet of a cell, see `SCHEMA`."""
    rows = at_chosen(table)
    groups: dict[str, list[int]] = {}
    for line in choice.to_pylist():
        for name in line["groups"]:
            groups.setdefault(name, []).append(line["feature"])
    result = []
    for name, features in groups.items():
        for arm in (FEATURE, CONTROL, MEANS, PROMPT):
            sound = [rows[f, arm] for f in features if (f, arm) in rows]
            gains = _gains(rows, features, arm)
            own = [] if name == OWN else groups.get(OWN, [])
            less = _difference(_gains(rows, own, arm), gains, seed)
            result.append(
                {
                    "choice": name,
                    "arm": arm,
                    "n_features": len(features),
                    "n_sound": len(sound),
                    **dict(zip(("gain", "low", "high"), _mean(gains, seed), strict=True)),
                    "surprisal_more": _average(
                        [row["surprisal"] - row["surprisal_plain"] for row in sound]
                    ),
                    "rep3": _average([row["rep3"] for row in sound]),
                    "norm_share": _average([row["norm_share"] for row in sound]),
                    **dict(zip(("own_less", "own_less_low", "own_less_high"), less, strict=True)),
                }
            )
    return pa.Table.from_pylist(result, SCHEMA)


def _gains(rows: Mapping[Any, Any], features: Sequence[int], arm: str) -> np.ndarray:
    return np.array([rows[f, arm]["gain"] if (f, arm) in rows else 0.0 for f in features])


def _average(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _drawn(values: np.ndarray, seed: int, stream: int) -> np.ndarray:
    """(draw,) means of values drawn with replacement."""
    rng = np.random.default_rng([seed, stream])
    return values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(1)


def _limits(draws: np.ndarray) -> tuple[float, float]:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def _mean(values: np.ndarray, seed: int) -> tuple[float | None, float | None, float | None]:
    if not len(values):
        return None, None, None
    return float(values.mean()), *_limits(_drawn(values, seed, 0))


def _difference(
    one: np.ndarray, other: np.ndarray, seed: int
) -> tuple[float | None, float | None, float | None]:
    """Mean of one less mean of the other, with an interval; none where either is empty."""
    if not len(one) or not len(other):
        return None, None, None
    draws = _drawn(one, seed, 1) - _drawn(other, seed, 2)
    return float(one.mean() - other.mean()), *_limits(draws)


def _own(table: pa.Table, column: str) -> float | None:
    """A number of the features that were chosen by their own words, steered themselves."""
    rows = table.to_pylist()
    return next((r[column] for r in rows if (r["choice"], r["arm"]) == (OWN, FEATURE)), None)


def own_gain(table: pa.Table) -> float | None:
    """Gain of inclusion; never to be shown without the two below."""
    return _own(table, "gain")


def own_surprisal(table: pa.Table) -> float | None:
    """Surprisal beyond that of texts without an edit."""
    return _own(table, "surprisal_more")


def own_rep3(table: pa.Table) -> float | None:
    """Repeated runs of three tokens."""
    return _own(table, "rep3")
