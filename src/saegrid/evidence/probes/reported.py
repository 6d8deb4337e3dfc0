"""Tables of the probes of a site: scores, controls, description lengths, what SAEs keep, gains."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.registry import pick
from saegrid.evidence.probes import controls, description, preserved
from saegrid.evidence.probes.classify import Columns
from saegrid.evidence.probes.labelled import Described
from saegrid.evidence.probes.linear import LINEAR
from saegrid.evidence.probes.linear.method import Method, accuracy
from saegrid.evidence.probes.nested import Nested, Task, nested, sparse_curve
from saegrid.evidence.probes.preserved import Draws, Score
from saegrid.evidence.probes.problem import Split
from saegrid.evidence.probes.quiver import Candidate, gain
from saegrid.evidence.probes.schemas import SCHEMAS, SELECTIVITY
from saegrid.evidence.probes.selection import Matrix

FITTED = ("l2",)
"""Methods on descriptions that are fitted, such as principal components: others turn them back."""
KEPT = 32
"""Splits whose fitted descriptions are held."""


class Asked(NamedTuple):
    """Settings of all that is asked of each description."""

    task: Task
    drawn: Draws
    shuffled: Sequence[Task]
    methods: Mapping[str, Method]
    ks: Sequence[int]
    n_controls: int
    orders: int


def asked(y: np.ndarray, type: np.ndarray, fold: np.ndarray, settings: Mapping[str, Any]) -> Asked:
    """All that is asked, from settings: methods, ks, draws, shuffles, controls, orders, seed."""
    task = Task(np.asarray(y, float), type, fold, settings["seed"])
    return Asked(
        task,
        preserved.draws(task, settings["draws"]),
        task.shuffled(settings["shuffles"]),
        {name: pick(LINEAR, name, "Method") for name in dict.fromkeys(settings["methods"])},
        settings["ks"],
        settings["controls"],
        settings["orders"],
    )


def tables(of: Asked, every: Iterable[Described]) -> dict[str, pa.Table]:
    """The tables of a site by name (`SCHEMAS`). every: descriptions, x of a convention before the
    codes of its cells."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    by_convention: dict[str, list[tuple[Described, list[Nested]]]] = {}
    x: dict[str, np.ndarray] = {}
    for one in every:
        place = {key: getattr(one, key) for key in ("convention", "representation", "cell")}
        if one.representation == "x":
            x[one.convention] = np.asarray(one.columns)
        columns = remembered(one.columns)
        results = probed(of, columns)
        by_convention.setdefault(one.convention, []).append((one._replace(columns=None), results))
        rows["probes"] += [place | row for row in _scores(of, columns, results)]
        if not callable(columns):
            rows["selectivity"] += [place | row for row in _controls(of, columns)]
            rows["lengths"].append(place | _length(of, columns))
        if one.x_hat is not None and one.convention in x:
            kept = _kept(of, x[one.convention], one)
            rows["preserved"] += [place | row for row in kept]
        named = " ".join(str(part) for part in place.values() if part)
        print(f"{named}: {len(results)} probes", flush=True)
    for convention, results in by_convention.items():
        rows["gains"] += [{"convention": convention, **row} for row in _gains(of, results)]
    return {name: _table(rows[name], schema) for name, schema in SCHEMAS.items()}


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(
        [{k: _known(v) for k, v in row.items() if k in schema.names} for row in rows], schema
    )


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def remembered(columns: Columns | Matrix) -> Columns | Matrix:
    """Columns; a function of a split keeps what it gave for the last splits."""
    if not callable(columns):
        return columns
    held: OrderedDict[bytes, Matrix] = OrderedDict()

    def of_split(split: Split) -> Matrix:
        key = np.sort(split.train).tobytes()
        if key not in held:
            held[key] = columns(split)
            if len(held) > KEPT:
                held.popitem(last=False)
        return held[key]

    return of_split


def probed(of: Asked, columns: Columns | Matrix) -> list[Nested]:
    """The probes of a description: each method on all units, then k units."""
    return [
        *nested(of.task, columns, _methods(of, columns)),
        *sparse_curve(of.task, columns, of.ks),
    ]


def _methods(of: Asked, columns: Columns | Matrix) -> Mapping[str, Method]:
    if not callable(columns):
        return of.methods
    return {name: method for name, method in of.methods.items() if name in FITTED}


def _scores(
    of: Asked, columns: Columns | Matrix, results: Sequence[Nested]
) -> list[dict[str, Any]]:
    """The rows of `PROBES` of a description."""
    chances: dict[str, list[float]] = {}
    for task in of.shuffled:
        again = [
            *nested(task, columns, _methods(of, columns)),
            *sparse_curve(task, columns, of.ks, validated=False),
        ]
        for one in again:
            chances.setdefault(one.label, []).append(_area(task, one, of.drawn))
    n_units = _width(of, columns)
    out = []
    for one in results:
        score = preserved.interval(preserved.areas(of.task, one.prediction, of.drawn))
        chance = chances.get(one.label, [np.nan])
        missing = bool(one.note)
        out.append(
            {
                "method": one.name,
                "k": one.k,
                **_named(score, "auc", "low", "high"),
                "chance": float(np.mean(chance)),
                "accuracy": np.nan if missing else accuracy(one.prediction, of.task.y),
                "fitted": _mean(one.fitted),
                "validation": _mean(one.validation),
                "n_nonzero": _mean(one.n_nonzero),
                "explained": float(one.explained),
                "penalty": _mean(one.penalty),
                "converged": None if missing else one.converged,
                "n_units": n_units,
                "n": len(of.task.y),
                "n_types": len(np.unique(of.task.type)),
                "note": one.note or None,
            }
        )
    return out


def _width(of: Asked, columns: Columns | Matrix) -> int:
    """The number of units of a description, of a fitted one in the first split."""
    return (columns(of.task.outer(0)) if callable(columns) else columns).shape[1]


def _area(task: Task, one: Nested, drawn: Draws) -> float:
    """The mean AUROC over the folds."""
    return float(preserved.areas(task, one.prediction, Draws(drawn.weight[:, :1]))[0])


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _named(score: Score, *names: str) -> dict[str, float]:
    return dict(zip(names, score, strict=True))


def _controls(of: Asked, columns: Matrix) -> list[dict[str, Any]]:
    """The rows of `SELECTIVITY` of a description."""
    y, type, times = of.task.y, of.task.type, of.n_controls
    if not times:
        return []
    out = []
    for one in (
        controls.by_types(columns, y, type, times, of.task.seed),
        controls.published(columns, y, times),
    ):
        low, high = one.interval
        counts, edges = one.histogram()
        row = {key: getattr(one, key) for key in one._fields if key in SELECTIVITY.names}
        row |= {"selectivity": one.mean, "low": low, "high": high, "n_controls": len(one.values)}
        out.append(row | {"counts": counts.tolist(), "edges": edges.tolist()})
    return out


def _length(of: Asked, columns: Matrix) -> dict[str, Any]:
    """The row of `LENGTHS` of a description."""
    y, type, seed = of.task.y, of.task.type, of.task.seed
    of_orders = description.lengths(columns, y, type, of.orders, seed)
    first = of_orders.codes[0]
    entropy, bits = first.n * first.entropy, of_orders.mean("length")
    least, most = of_orders.span("length")
    return {
        "n": first.n,
        "orders": of.orders,
        "uniform": first.uniform,
        "entropy": entropy,
        "bits": bits,
        "least": least,
        "most": most,
        "compression": first.uniform / bits,
        "saved": 1 - bits / entropy,
        "surplus": of_orders.mean("surplus"),
        "shuffled": of_orders.mean("length", shuffled=True),
        "ends": first.ends.tolist(),
        "blocks": first.bits.tolist(),
    }


def _kept(of: Asked, x: np.ndarray, one: Described) -> list[dict[str, Any]]:
    """The rows of `PRESERVED` of a cell."""
    x_hat = np.asarray(one.x_hat, float)
    parts: dict[str, Matrix] = {"x": x, "x_hat": x_hat, "codes": one.columns, "error": x - x_hat}
    method = {"l2": pick(LINEAR, "l2", "Method")}
    probes = {name: nested(of.task, columns, method)[0] for name, columns in parts.items()}
    chance = {
        name: [_area(task, nested(task, columns, method)[0], of.drawn) for task in of.shuffled]
        for name, columns in parts.items()
    }
    rows = []
    for name, (score, difference) in preserved.differences(of.task, probes, of.drawn).items():
        rows.append(
            {
                "part": name,
                **_named(score, "auc", "low", "high"),
                **_named(difference, "difference", "difference_low", "difference_high"),
                "chance": float(np.mean(chance[name])) if chance[name] else np.nan,
            }
        )
    spread = float(np.square(x - x.mean(axis=0)).sum())
    fvu = float(np.square(x - x_hat).sum()) / spread if spread else np.nan
    delta = preserved.delta_selectivity(x, x_hat, of.task.y, max(of.n_controls, 1), of.task.seed)
    rows[1] |= {"fvu": fvu, "s_model": delta.model, "s_sae": delta.sae, "delta": delta.delta}
    rows[1] |= {"delta_low": delta.low, "delta_high": delta.high}
    return rows


def _gains(of: Asked, results: Sequence[tuple[Described, list[Nested]]]) -> list[dict[str, Any]]:
    """The rows of `GAINS` of a convention."""
    sets: dict[tuple[str, str | None], list[Nested]] = {}
    plain: list[Candidate] = []
    for one, probes in results:
        if one.cell is None:
            plain += _candidates(one.representation, False, probes)
        else:
            sets[one.representation, one.cell] = probes
    codes = [(cell, probes) for (name, cell), probes in sets.items() if name == "codes"]
    out = []
    groups = {key: _candidates(key[0], True, probes) for key, probes in sets.items()}
    if len(codes) > 1:
        groups["codes", None] = [
            one for cell, probes in codes for one in _candidates(f"codes {cell}", True, probes)
        ]
    for (name, cell), added in groups.items():
        gained = gain(of.task, [*plain, *added], of.drawn)
        if gained is None:
            continue
        out.append(
            {
                "representation": name,
                "cell": cell,
                **_named(gained.without, "without", "without_low", "without_high"),
                **_named(gained.with_sae, "with", "with_low", "with_high"),
                **_named(gained.gain, "gain", "gain_low", "gain_high"),
                "n_taken": gained.n_sae,
                "n_folds": of.task.n_folds,
                "n_without": len(plain),
                "n_with": len(plain) + len(added),
                "chosen_without": ", ".join(gained.chosen_without),
                "chosen_with": ", ".join(gained.chosen_with),
            }
        )
    return out


def _candidates(name: str, of_sae: bool, probes: Sequence[Nested]) -> list[Candidate]:
    return [
        Candidate(f"{name} {one.label}", of_sae, one.prediction, one.validation) for one in probes
    ]
