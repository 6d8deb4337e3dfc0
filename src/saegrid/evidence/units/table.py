"""The tables of tests of units at a site: all descriptions of the texts, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.evidence.multiplicity import adjusted
from saegrid.evidence.probes.labelled import Described, Words
from saegrid.evidence.probes.problem import Split
from saegrid.evidence.probes.selection import Matrix
from saegrid.evidence.units import chance, compare, power
from saegrid.evidence.units.compare import Compared
from saegrid.evidence.units.histograms import histograms

HEAD = [
    ("site", pa.string()),
    ("cell", pa.string()),
    ("representation", pa.string()),
    ("convention", pa.string()),
]
SUMMARY = pa.schema(
    [
        *HEAD,
        ("units", pa.int64()),
        ("constant", pa.int64()),
        ("n_1", pa.int64()),
        ("n_0", pa.int64()),
        ("test", pa.string()),
        ("rule", pa.string()),
        ("significant", pa.int64()),
        ("expected", pa.float64()),
        ("none", pa.float64()),
        ("two_or_more", pa.float64()),
        ("out_of_reach", pa.int64()),
    ]
)
"""Rows by test and rule (`compare.counts`). none, two_or_more: chances of no unit and of two or
more under independent exact tests, of the rule alpha alone; out_of_reach: sparse units that fire on
so few texts that Welch's p cannot be below alpha."""
LISTED = pa.schema(
    [
        *HEAD,
        ("unit", pa.int64()),
        ("place", pa.int64()),
        *((name, pa.float64()) for name in ("effect", "auroc", "density", "mean_1", "mean_0")),
        *((name, pa.float64()) for name in ("t", "df", "p_welch", "p", "p_maxt", "q")),
        *((name, pa.float64()) for name in ("p_rank", "p_firing", "least_p")),
        ("words", pa.list_(pa.string())),
    ]
)
"""Units of the shortlist. mean_1, mean_0: over the texts of each class; q: Benjamini and Hochberg's
of the exchange; least_p: the least that Welch's can be at this density, null of dense units; words:
those on which the unit is largest."""
HISTOGRAMS = pa.schema(
    [
        *HEAD,
        ("test", pa.string()),
        ("range", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("units", pa.int64()),
        ("expected", pa.float64()),
        ("of", pa.int64()),
    ]
)
"""Rows by bin. of: units counted, which are those that are not constant."""
POWER = pa.schema(
    [
        ("site", pa.string()),
        ("test", pa.string()),
        ("density", pa.float64()),
        ("purity", pa.float64()),
        ("power", pa.float64()),
        ("least_p", pa.float64()),
        ("n_1", pa.int64()),
        ("n_0", pa.int64()),
        ("alpha", pa.float64()),
    ]
)
"""Simulated units, see `power.simulated`; least_p: Welch's least at the density."""
WORDS = 8
"""Words of a unit."""


class Answer(NamedTuple):
    """The tables of a site."""

    summary: pa.Table
    listed: pa.Table
    histograms: pa.Table
    power: pa.Table
    tensors: dict[str, np.ndarray]
    """(unit,) each field of `Compared` of each description: `codes/L3R-8x/mean/p_welch`."""


def of_site(
    words: Words, descriptions: Iterable[Described], site: str, settings: Mapping[str, Any]
) -> Answer:
    """The tests of all units of a site.

    settings: permutations, alpha, level, listed, draws, seed.
    """
    rows: dict[str, list[dict[str, Any]]] = {"summary": [], "listed": [], "histograms": []}
    tensors = {}
    for one in descriptions:
        matrix = columns_of(one, len(words.y))
        names = (one.site, one.cell, one.representation, one.convention)
        head = dict(zip((name for name, _ in HEAD), names, strict=True))
        of = compare.compare(
            matrix, words.y, words.type, settings["permutations"], settings["seed"]
        )
        rows["summary"] += _summary(head, of, words.y, matrix, settings)
        rows["listed"] += _listed(head, of, words, matrix, settings)
        rows["histograms"] += _histograms(head, of)
        key = f"{one.representation}/{one.cell or '-'}/{one.convention}"
        tensors |= {f"{key}/{name}": np.ascontiguousarray(v) for name, v in of._asdict().items()}
        print(f"{key}: {len(of.p):,} units, {int(of.constant.sum()):,} constant", flush=True)
    return Answer(
        pa.Table.from_pylist(rows["summary"], SUMMARY),
        pa.Table.from_pylist(rows["listed"], LISTED),
        pa.Table.from_pylist(rows["histograms"], HISTOGRAMS),
        pa.Table.from_pylist(_power(site, words.y, settings), POWER),
        tensors,
    )


def columns_of(one: Described, n: int) -> Matrix:
    """(text, unit) the numbers of a description; those that are fitted are fitted on all texts,
    whose labels they do not know."""
    every = np.arange(n)
    return one.columns(Split(every, every)) if callable(one.columns) else one.columns


def _summary(
    head: Mapping[str, Any],
    of: Compared,
    y: np.ndarray,
    matrix: Matrix,
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    alpha, units = settings["alpha"], len(of.p)
    sizes = int((y > 0).sum()), int((y == 0).sum())
    least = _least_p(of, matrix, *sizes)
    beyond = None if least is None else int((~of.constant & (least >= alpha)).sum())
    out = []
    for count in compare.counts(of, alpha, settings["level"]):
        row = {**head, "units": units, "constant": int(of.constant.sum())}
        row |= {"n_1": sizes[0], "n_0": sizes[1], "test": count.test, "rule": count.rule}
        row |= {"significant": count.units, "expected": count.expected}
        if count.rule == "alpha":
            row["none"] = chance.confidence(units, alpha)
            row["two_or_more"] = chance.at_least_two(units, alpha)
        if (count.test, count.rule) == ("welch", "alpha"):
            row["out_of_reach"] = beyond
        out.append(row)
    return out


def _least_p(of: Compared, matrix: Matrix, n_1: int, n_0: int) -> np.ndarray | None:
    if not sparse.issparse(matrix):
        return None
    return power.least_p(np.rint(of.density * (n_1 + n_0)), n_1, n_0)


def _listed(
    head: Mapping[str, Any],
    of: Compared,
    words: Words,
    matrix: Matrix,
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    chosen = compare.shortlist(of, settings["listed"], settings["alpha"], settings["level"])
    sizes = int((words.y > 0).sum()), int((words.y == 0).sum())
    least, q = _least_p(of, matrix, *sizes), adjusted(of.p)
    largest = largest_words(matrix, chosen, words.text)
    fields = {"mean_1": of.mean_a, "mean_0": of.mean_b, "q": q} | of._asdict()
    keys = [name for name in LISTED.names if name in fields]
    out = []
    for place, unit in enumerate(chosen.tolist()):
        row = {**head, "unit": unit, "place": place, "words": largest[place]}
        row |= {key: _number(fields[key][unit]) for key in keys}
        row["least_p"] = None if least is None else _number(least[unit])
        out.append(row)
    return out


def largest_words(matrix: Matrix, units: np.ndarray, text: Sequence[str]) -> list[list[str]]:
    """For each unit the different words on which it is largest, the largest first; of sparse units
    those on which it fires."""
    is_sparse = sparse.issparse(matrix)
    block = matrix.tocsc()[:, units].toarray() if is_sparse else matrix[:, units]
    out = []
    for column in np.asarray(block).T:
        order = np.lexsort((np.arange(len(column)), -column))
        order = order[column[order] > 0] if is_sparse else order
        out.append(list(dict.fromkeys(text[at] for at in order.tolist()))[:WORDS])
    return out


def _histograms(head: Mapping[str, Any], of: Compared) -> list[dict[str, Any]]:
    out = []
    for test, (name, _) in compare.TESTS.items():
        p = getattr(of, name)
        if np.isnan(p).all():
            continue
        for one in histograms(p, of.constant):
            edges = one.edges.tolist()
            for low, high, units in zip(edges, edges[1:], one.counts.tolist(), strict=False):
                row = {"test": test, "range": one.range, "low": low, "high": high, "units": units}
                out.append({**head, **row, "expected": one.expected, "of": one.units})
    return out


def _power(site: str, y: np.ndarray, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    n_1, n_0 = int((y > 0).sum()), int((y == 0).sum())
    alpha = settings["alpha"]
    rows = power.simulated(n_1, n_0, alpha, settings["draws"], settings["seed"])
    fires = np.array([round(row.density * len(y)) for row in rows])
    least = power.least_p(fires, n_1, n_0)
    same = {"site": site, "n_1": n_1, "n_0": n_0, "alpha": alpha}
    return [
        {**same, **row._asdict(), "least_p": float(p)} for row, p in zip(rows, least, strict=True)
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
