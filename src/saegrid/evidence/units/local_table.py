"""The tables of localisation at a site: curves, spread, stable units, the combined metric."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.evidence.intervals import percentiles
from saegrid.evidence.probes.labelled import Described, Words
from saegrid.evidence.probes.problem import Problem
from saegrid.evidence.units import curves, spread, stability
from saegrid.evidence.units.effectiveness import band, effectiveness, place, unexplained
from saegrid.evidence.units.table import HEAD, columns_of

CURVES = pa.schema(
    [
        *HEAD,
        ("candidates", pa.string()),
        ("n_candidates", pa.int64()),
        ("k", pa.int64()),
        *((name, pa.float64()) for name in ("auroc", "low", "high", "chance")),
    ]
)
"""Rows by number of units k, null for all. candidates: all, or equal: as many for every
description; chance: AUROC where labels are exchanged."""
SPREAD = pa.schema(
    [
        *HEAD,
        ("units", pa.int64()),
        ("auroc", pa.float64()),
        ("participation", pa.float64()),
        *((name, pa.float64()) for name in ("own_k", "own_low", "own_high", "own_unknown")),
        *((name, pa.float64()) for name in ("x_k", "x_low", "x_high", "x_unknown")),
        ("l0", pa.float64()),
    ]
)
"""auroc: of all units, of components that of x; participation: ratio of their weights; own_k:
units that reach the share of the AUROC of all units of the description above .5, x_k: of all
channels of x, inf where none of the numbers tried does; own_unknown: share of draws in which the
AUROC is not above .5; l0: units that are not 0 on a text, on average."""
STABILITY = pa.schema(
    [
        *HEAD,
        ("method", pa.string()),
        ("threshold", pa.float64()),
        ("selected", pa.float64()),
        ("stable", pa.int64()),
        ("bound", pa.float64()),
        ("units", pa.list_(pa.int64())),
        ("shares", pa.list_(pa.float64())),
    ]
)
"""Rows by way of selection. selected: units of a half, on average; bound: stable units without an
effect, at most; units: the stable ones, at most `STABLE`."""
METRIC = pa.schema(
    [
        *HEAD,
        ("k", pa.int64()),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        ("reason", pa.string()),
        *((name, pa.float64()) for name in ("auroc", "full", "first", "fvu")),
        ("group", pa.string()),
    ]
)
"""The combined metric of each cell (`effectiveness`). reason: why it is not defined; auroc: of k
features; full: of all channels of x; first: the first factor, that of localisation; group: cells
that differ by seed alone have one name."""
BANDS = pa.schema(
    [
        ("site", pa.string()),
        ("convention", pa.string()),
        ("k", pa.int64()),
        ("of", pa.string()),
        ("group", pa.string()),
        ("n", pa.int64()),
        *((name, pa.float64()) for name in ("mean", "sd", "low", "high")),
        ("cell", pa.string()),
        ("value", pa.float64()),
        ("verdict", pa.string()),
    ]
)
"""Rows by group of at least three seeds, and each other cell with where it stands to the band; of a
site without other cells one row without. of: value, or first: a frozen SAE may lose by its error
alone."""
STABLE = 50
"""Units that a row of stable units names."""
METRIC_KS = (1, 5)


class Answer(NamedTuple):
    """The tables of a site."""

    curves: pa.Table
    spread: pa.Table
    stability: pa.Table
    metric: pa.Table
    bands: pa.Table


class _Asked(NamedTuple):
    """All that the descriptions of a site have in common."""

    words: Words
    problem: Problem
    weight: np.ndarray
    halves: np.ndarray
    settings: Mapping[str, Any]


def of_site(
    words: Words,
    descriptions: Iterable[Described],
    x: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
) -> Answer:
    """The localisation of a site.

    x: (text, channel) by convention; settings: ks, draws, seed, candidates, choices, shuffles,
    halves, selected, threshold, share, l2, and groups: the name of the group of each cell.
    """
    seed, draws = settings["seed"], settings["draws"]
    problem = curves.problem_of(words.y, words.type, words.fold)
    weight = curves.drawn(words.type, draws, seed)
    halves = stability.halves(words.y, words.type, settings["halves"], seed)
    asked = _Asked(words, problem, weight, halves, settings)
    full = {
        name: curves.curve(
            exact.astype(np.float64), problem, (1,), weight, penalties=settings["l2"]
        )
        for name, exact in x.items()
    }
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("curves", "spread", "stability", "metric")
    }
    for one in descriptions:
        reached = full[one.convention].values[-1]
        own = _of_description(one, asked, reached, x[one.convention])
        for name, several in own.items():
            rows[name] += several
        print(f"{one.representation} {one.cell or one.site} {one.convention}", flush=True)
    tables = (CURVES, SPREAD, STABILITY, METRIC)
    built = [
        pa.Table.from_pylist(several, schema)
        for several, schema in zip(rows.values(), tables, strict=True)
    ]
    return Answer(*built, pa.Table.from_pylist(bands(rows["metric"]), BANDS))


def _of_description(
    one: Described, asked: _Asked, full: np.ndarray, x: np.ndarray
) -> dict[str, list[dict[str, Any]]]:
    names = (one.site, one.cell, one.representation, one.convention)
    head = dict(zip((name for name, _ in HEAD), names, strict=True))
    settings = asked.settings
    same = (settings["ks"], asked.weight)
    ks = sorted({*settings["ks"], *METRIC_KS})
    seed, l2 = settings["seed"], settings["l2"]
    whole = curves.curve(
        one.columns, asked.problem, ks, asked.weight, settings["shuffles"], seed, l2
    )
    equal = curves.equal_curve(
        one.columns, asked.problem, *same, settings["candidates"], settings["choices"], seed, l2
    )
    matrix = columns_of(one, len(asked.words.y))
    drawn = [row for kind in (("all", whole), ("equal", equal)) for row in _curve(head, *kind)]
    return {
        "curves": drawn,
        "spread": [_spread(head, whole, full, matrix, asked)],
        "stability": _stability(head, matrix, asked),
        "metric": _metric(head, one, whole, full, x, asked),
    }


def _curve(head: Mapping[str, Any], kind: str, of: curves.Curve) -> list[dict[str, Any]]:
    low, high = percentiles(of.values)
    numbers = zip(of.k, of.values[:, 0], low, high, of.chance, strict=True)
    same = {**head, "candidates": kind, "n_candidates": of.candidates}
    names = ("auroc", "low", "high", "chance")
    return [
        {**same, "k": k, **dict(zip(names, map(_number, several), strict=True))}
        for k, *several in numbers
    ]


def _spread(
    head: Mapping[str, Any], of: curves.Curve, full: np.ndarray, matrix: Any, asked: _Asked
) -> dict[str, Any]:
    share = asked.settings["share"]
    own = of.values[-1] if of.k[-1] is None else full
    row = {**head, "units": of.candidates, "auroc": _number(own[0])}
    w = spread.weights(matrix, asked.words.y, asked.settings["l2"][0])
    row["participation"] = _number(spread.participation(w))
    for name, reached in (("own", own), ("x", full)):
        needed = spread.needed(of.k, of.values, reached, share)
        row |= {f"{name}_{key}": _number(value) for key, value in needed._asdict().items()}
    row["l0"] = float((matrix != 0).sum() / matrix.shape[0])
    return row


def _stability(head: Mapping[str, Any], matrix: Any, asked: _Asked) -> list[dict[str, Any]]:
    settings, y, out = asked.settings, asked.words.y, []
    threshold = settings["threshold"]
    for method, select in ((stability.RANK, stability.by_rank), (stability.L1, stability.by_l1)):
        of = select(matrix, y, asked.halves, settings["selected"])
        units = of.stable(threshold)
        row = {**head, "method": method, "threshold": threshold, "selected": of.q}
        row |= {"stable": len(units), "bound": of.bound(threshold)}
        shown = units[:STABLE]
        out.append({**row, "units": shown.tolist(), "shares": of.share[shown].tolist()})
    return out


def _metric(
    head: Mapping[str, Any],
    one: Described,
    of: curves.Curve,
    full: np.ndarray,
    x: np.ndarray,
    asked: _Asked,
) -> list[dict[str, Any]]:
    if one.representation != "codes":
        return []
    fvu = None if one.x_hat is None else unexplained(x, one.x_hat, asked.weight)
    out = []
    for k in METRIC_KS:
        auc = of.values[of.k.index(k)]
        row = {**head, "k": k, "auroc": _number(auc[0]), "full": _number(full[0])}
        row["group"] = asked.settings["groups"][one.cell]
        if fvu is None:
            row["reason"] = "the SAE reconstructs another site"
        else:
            e = effectiveness(auc, full, fvu)
            row |= {key: _number(getattr(e, key)) for key in ("value", "low", "high")}
            if not e.reason:
                row["first"] = float((auc[0] - 0.5) / (full[0] - 0.5))
            row |= {"reason": e.reason or None, "fvu": _number(fvu[0])}
        out.append(row)
    return out


def bands(metric: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `BANDS` from rows of `METRIC`."""
    names, out = ("site", "convention", "k"), []
    for at in dict.fromkeys(tuple(row[name] for name in names) for row in metric):
        ours = [row for row in metric if tuple(row[name] for name in names) == at]
        for group in dict.fromkeys(row["group"] for row in ours):
            for quantity in ("value", "first"):
                head = dict(zip(names, at, strict=True)) | {"of": quantity, "group": group}
                out += _band(head, ours, quantity)
    return out


def _band(
    head: Mapping[str, Any], rows: list[dict[str, Any]], quantity: str
) -> list[dict[str, Any]]:
    """Rows of a group and one of its quantities; none without a band."""
    values = [row.get(quantity) for row in rows if row["group"] == head["group"]]
    of = None if None in values else band(values)
    if of is None:
        return []
    same = {**head, **of._asdict()}
    others = [r for r in rows if r["group"] != head["group"] and r.get(quantity) is not None]
    return [
        {**same, "cell": r["cell"], "value": r[quantity], "verdict": place(r[quantity], of)}
        for r in others
    ] or [same]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
