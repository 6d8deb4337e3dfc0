"""Tables of what clamped features change in what a model fills in, with intervals and a verdict.

The unit is the original: means over originals of the means over its edits, with intervals of
originals drawn anew. Of features together it is the confirmed feature less its control, with
intervals of both, features and originals, drawn anew.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.evidence.exchange import generator
from saegrid.evidence.intervals import percentiles, resampled
from saegrid.interventions.blanks import Blanks
from saegrid.interventions.filling import MEASURES, OF_EDITS, UNCHANGED, Changes
from saegrid.interventions.raising import CONTROL, FEATURE, Arm, Chosen

MOST_EXTRA = 1.0
"""Nats of extra surprisal up to which a dose is judged: above it the text falls apart."""
TURNED = ("grade", "slope")
"""Measures whose sign is turned where a feature leans to low labels."""
FUNNIER, LESS, NOTHING, UNJUDGED = "funnier", "less funny", "nothing", "not judged"
RULE = (
    "The largest dose is judged at which the features, on average, add at most "
    f"{MOST_EXTRA:g} nat of surprisal. Feature less control, in the direction of high labels: "
    "funnier or less funny where the 95 % interval leaves 0 out, else nothing. Features that fire "
    "more on low labels count the other way round when they are turned up. The expected grade "
    "(grade) decides; the preference among edits of one original (slope) is told beside it."
)
INTERVALS = "95 %, percentiles of the draws"
SCHEMA = pa.schema(
    [
        ("contrast", pa.string()),
        ("cell", pa.string()),
        ("feature", pa.int32()),
        ("sign", pa.int8()),
        ("role", pa.string()),
        ("control_of", pa.int32()),
        ("dose", pa.float64()),
        ("value", pa.float64()),
        ("n", pa.int32()),
        *((f"{name}{end}", pa.float64()) for name in MEASURES for end in ("", "_low", "_high")),
    ]
)
"""Columns of filling.parquet: a row for each feature, control and dose. control_of: of a control
the confirmed feature. dose: clamp in maxima of the confirmed feature, 0 ablates both. n: originals.
The measures have 95 % intervals; null where they cannot be told."""
TEXTS = pa.schema(
    [
        ("contrast", pa.string()),
        ("cell", pa.string()),
        ("feature", pa.int32()),
        ("role", pa.string()),
        ("dose", pa.float64()),
        ("item", pa.int32()),
        ("context", pa.string()),
        ("replaced", pa.string()),
        ("edit", pa.string()),
        ("before", pa.list_(pa.string())),
        ("before_p", pa.list_(pa.float64())),
        ("after", pa.list_(pa.string())),
        ("after_p", pa.list_(pa.float64())),
    ]
)
"""Columns of filling_texts.parquet: the likeliest tokens of some blanks, before and after."""


def by_original(of: Blanks, changes: Changes) -> dict[str, np.ndarray]:
    """(original, arm) each measure but the slope: the mean over the edits of an original."""
    n = np.bincount(of.original, minlength=of.n_originals)[:, None]
    out = {}
    for name in MEASURES:
        if name == "slope":
            continue
        values = changes.of_edits[name] if name in OF_EDITS else changes.of_blanks[name][of.blank]
        total = np.zeros((of.n_originals, values.shape[1]))
        np.add.at(total, of.original, values)
        out[name] = total / n
    return out


def within(of: Blanks, change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over the graded edits of each original: grade times change (original, arm), and grade
    squared (original,), the grade less its mean over the original."""
    kept = ~np.isnan(of.grade)
    original, grade, values = of.original[kept], of.grade[kept], change[kept]
    n = np.maximum(np.bincount(original, minlength=of.n_originals), 1)
    grade = grade - (np.bincount(original, grade, of.n_originals) / n)[original]
    products = np.zeros((of.n_originals, change.shape[1]))
    np.add.at(products, original, grade[:, None] * values)  # sums of grade less its mean are 0
    return products, np.bincount(original, grade**2, of.n_originals)


def draws_of(of: Blanks, changes: Changes, draws: int, seed: int) -> dict[str, np.ndarray]:
    """(arm, draw + 1) float64 each measure over originals drawn anew; column 0 as they are."""
    rng = generator(seed, "filling originals")
    weight = resampled(np.arange(of.n_originals), draws, rng).astype(np.float64)
    out = {name: one.T @ weight / of.n_originals for name, one in by_original(of, changes).items()}
    products, squares = within(of, changes.of_edits["edit"])
    below = squares @ weight
    with np.errstate(invalid="ignore", divide="ignore"):
        out["slope"] = np.where(below > 0, products.T @ weight / below, np.nan)
    return out


def table(arms: Sequence[Arm], drawn: Mapping[str, np.ndarray], n: int) -> pa.Table:
    """filling.parquet."""
    columns: dict[str, Any] = {
        "contrast": [arm.of.contrast for arm in arms],
        "cell": [arm.of.cell for arm in arms],
        "feature": [arm.feature for arm in arms],
        "sign": [arm.of.sign for arm in arms],
        "role": [arm.role for arm in arms],
        "control_of": [arm.of.feature if arm.role == CONTROL else None for arm in arms],
        "dose": [arm.dose for arm in arms],
        "value": [arm.value for arm in arms],
        "n": [n] * len(arms),
    }
    for name in MEASURES:
        low, high = percentiles(drawn[name])
        columns |= {name: drawn[name][:, 0], f"{name}_low": low, f"{name}_high": high}
    arrays = [pa.array(columns[f.name], f.type, from_pandas=True) for f in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _expected(arm: Arm) -> int:
    """The direction in which an arm is expected to move the grade of what is filled in."""
    return arm.of.sign if arm.dose else -arm.of.sign


def together(
    arms: Sequence[Arm], drawn: Mapping[str, np.ndarray], seed: int
) -> list[dict[str, Any]]:
    """Means over features at each dose: features, controls, and the difference with its interval.

    A feature counts for a measure where it and its control have it. n: features.
    """
    place = {(arm.of, arm.role, arm.dose): i for i, arm in enumerate(arms)}
    out = []
    for dose in sorted({arm.dose for arm in arms}):
        pairs = [
            (i, place[arm.of, CONTROL, dose], _expected(arm))
            for i, arm in enumerate(arms)
            if arm.role == FEATURE and arm.dose == dose
        ]
        own, other, turn = (np.array(column) for column in zip(*pairs, strict=True))
        measures = {}
        for name, values in drawn.items():
            sign = turn[:, None] if name in TURNED else 1
            a, b = sign * values[own], sign * values[other]
            kept = ~np.isnan(a[:, 0] - b[:, 0])
            measures[name] = _compared(a[kept], b[kept], generator(seed, "filling features"))
        out.append({"dose": dose, "n": len(own), "measures": measures})
    return out


def _compared(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Means of features and controls (feature, draw + 1), and of their differences."""
    if not len(a):
        return dict.fromkeys(("feature", "control", "difference", "low", "high")) | {"n": 0}
    weight = resampled(np.arange(len(a)), a.shape[1] - 1, rng).astype(np.float64)
    means = (weight * (a - b)).sum(0, keepdims=True) / len(a)
    (low,), (high,) = percentiles(means)
    numbers = {
        "feature": a[:, 0].mean(),
        "control": b[:, 0].mean(),
        "difference": means[0, 0],
        "low": low,
        "high": high,
    }
    return {name: _number(value) for name, value in numbers.items()} | {"n": len(a)}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def verdict(doses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The answer by `RULE`: dose, and a word for each of grade and slope."""
    judged = [
        one
        for one in doses
        if one["dose"] > 0 and one["measures"]["extra_surprisal"]["feature"] <= MOST_EXTRA
    ]
    if not judged:
        return {"dose": None, **dict.fromkeys(TURNED, UNJUDGED)}
    one = max(judged, key=lambda row: row["dose"])
    return {"dose": one["dose"], **{name: _word(one["measures"][name]) for name in TURNED}}


def _word(measure: Mapping[str, Any]) -> str:
    if measure["low"] is None:
        return UNJUDGED
    return FUNNIER if measure["low"] > 0 else LESS if measure["high"] < 0 else NOTHING


def facts(
    arms: Sequence[Arm],
    drawn: Mapping[str, np.ndarray],
    of: Blanks | None,
    without: Sequence[Chosen],
    settings: Mapping[str, Any],
    changes: Changes | None = None,
) -> dict[str, Any]:
    """filling.json."""
    doses = together(arms, drawn, settings["seed"]) if arms else []
    return {
        "part": settings["part"],
        "n_originals": of.n_originals if of else 0,
        "n_edits": len(of.item) if of else 0,
        "n_headlines": len(of.contexts) if of else 0,
        "n_graded": int((~np.isnan(of.grade)).sum()) if of else 0,
        "n_features": len({arm.of for arm in arms}),
        "without_control": [f"{one.cell} #{one.feature}" for one in without],
        "unchanged": _unchanged(of, changes) if of and changes else dict.fromkeys(UNCHANGED),
        "doses": doses,
        "verdict": verdict(doses),
        "rule": RULE,
        "most_extra": MOST_EXTRA,
        "intervals": INTERVALS,
        "draws": settings["draws"],
        "seed": settings["seed"],
        "definitions": MEASURES,
        "definitions_unchanged": UNCHANGED,
    }


def _unchanged(of: Blanks, changes: Changes) -> dict[str, float | None]:
    """Means over originals of the means over their edits."""
    n = np.bincount(of.original, minlength=of.n_originals)
    return {
        name: _number((np.bincount(of.original, values) / n).mean())
        for name, values in changes.unchanged.items()
    }


def texts_table(
    arms: Sequence[Arm],
    of: Blanks,
    changes: Changes,
    shown: Sequence[int],
    strings: Sequence[str],
    special: Collection[int] = (),
) -> pa.Table:
    """filling_texts.parquet.

    shown: blanks that were kept; strings: of the vocabulary; special: ids that are not shown.
    """
    first = {blank: int(np.argmax(of.blank == blank)) for blank in shown}

    def words(ids: Iterable[int]) -> list[str]:
        return [strings[i] if i < len(strings) else "" for i in ids]

    rows = []
    for i, blank in enumerate(shown):
        edit = first[blank]
        head = {
            "item": int(of.item[edit]),
            "context": "".join(words([i for i in of.contexts[blank] if i not in special])),
            "replaced": words(of.replaced[[edit]])[0],
            "edit": words(of.edit[[edit]])[0],
            "before": words(changes.before[i]),
            "before_p": changes.before_p[i].tolist(),
        }
        rows += [
            {
                "contrast": arm.of.contrast,
                "cell": arm.of.cell,
                "feature": arm.feature,
                "role": arm.role,
                "dose": arm.dose,
                **head,
                "after": words(changes.after[i, j]),
                "after_p": changes.after_p[i, j].tolist(),
            }
            for j, arm in enumerate(arms)
        ]
    return pa.Table.from_pylist(rows, schema=TEXTS)
