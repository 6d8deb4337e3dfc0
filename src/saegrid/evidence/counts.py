"""Counts of the tests: a table by contrast and cell, and the facts that pages show."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.words import Cell
from saegrid.evidence import (
    CONFIRMATION,
    DISCOVERY,
    TEST,
    confirmation,
    exchange,
    maxima,
    multiplicity,
    parts,
    questions,
)
from saegrid.evidence.contrast import PAIRS, SCORES
from saegrid.evidence.discovery import PLAIN, Question
from saegrid.evidence.nuisances import explained
from saegrid.evidence.records import FROZEN, NEW_WORDS, RESULT, Grid, Inputs, Rows, Searched, joined

UNTRAINED = (
    "not run: make a study of the same texts with `model: {weights: random}`, and name it in "
    "`analyses.tests.untrained`"
)
"""Words for a null that another study makes."""
BINS = 20
"""Bins of a histogram of p."""
POINTS = 400
"""Discoveries that stand singly beside effects and p of all."""

SUMMARY = pa.schema(
    [
        ("contrast", pa.string()),
        ("cell", pa.string()),
        ("layer", pa.int32()),
        ("position", pa.string()),
        ("sae", pa.string()),
        ("frozen", pa.string()),
        ("n_tested", pa.int32()),
        ("n_discovered_cell", pa.int32()),
        ("n_discovered", pa.int32()),
        ("n_same_sign", pa.int32()),
        ("n_confirmed", pa.int32()),
        ("n_nuisances", pa.int32()),
        ("n_word", pa.int32()),
        ("n_bh", pa.int32()),
        ("n_by", pa.int32()),
        ("selected", pa.bool_()),
        ("n_hierarchy", pa.int32()),
        ("p_simes", pa.float64()),
        ("pi0", pa.float64()),
        ("threshold_cell", pa.float64()),
        ("best_feature", pa.int32()),
        ("best_auroc", pa.float64()),
    ]
)


def summary(grid: Grid) -> pa.Table:
    """tests.parquet of the study: one row a contrast and cell."""
    lines = []
    for kind, cells in grid.kinds.items():
        for name in grid.plan["contrasts"]:
            numbers = {one.searched.cell: numbers for one, numbers in grid.rows[kind][name].pairs()}
            p = [one.table["p"].to_numpy()[one.rows(name)] for one in cells]
            simes = np.array([multiplicity.simes(values) for values in p])
            selected = multiplicity.hierarchy(simes, grid.plan["q"])
            for at, one in enumerate(cells):
                level = selected.level if selected.families[at] else -1.0
                lines.append(
                    {
                        "contrast": name,
                        **_place(one),
                        **_counts(grid, one, name, numbers.get(one.cell, {}), level),
                        "selected": bool(selected.families[at]),
                        "p_simes": float(simes[at]),
                        "pi0": multiplicity.null_share(p[at]),
                    }
                )
    return pa.Table.from_pylist(lines, SUMMARY)


def _place(one: Searched) -> dict[str, Any]:
    return {**Cell.parse(one.cell).columns(), "frozen": one.frozen}


def _counts(
    grid: Grid, one: Searched, name: str, numbers: Mapping[str, np.ndarray], level: float
) -> dict[str, Any]:
    """The counts of a contrast in a cell. level: of the false discovery rate within it."""
    plan, rows, of = grid.plan, one.rows(name), grid.columns[one.cell]
    alpha, q = plan["alpha"], of["q"][rows]
    hit = of["discovered"][rows] == 1
    statistic = one.table["statistic"].to_numpy()[rows]
    best = one.table["feature"][int(rows[np.argmax(np.abs(statistic))])] if len(rows) else None
    own = one.maxima.get(name, np.zeros(0))
    return {
        "n_tested": len(rows),
        "n_discovered_cell": int((of["p_maxt_cell"][rows] <= alpha).sum()),
        "n_discovered": int(hit.sum()),
        "n_same_sign": _count(numbers.get("statistic_confirm"), lambda v: v > 0),
        "n_confirmed": _count(numbers.get("confirmed"), lambda v: v == 1),
        "n_nuisances": int((hit & (of["p_maxt_nuisances"][rows] <= alpha)).sum()),
        "n_word": int((hit & (of["p_maxt_word"][rows] <= alpha)).sum()),
        "n_bh": int((q <= plan["q"]).sum()),
        "n_by": int((of["q_by"][rows] <= plan["q"]).sum()),
        "n_hierarchy": int((q <= level).sum()),
        "threshold_cell": maxima.threshold(own, alpha) if len(own) > 1 else None,
        "best_feature": None if best is None else best.as_py(),
        "best_auroc": _best(one.table["auroc"].to_numpy()[rows]),
    }


def _best(auroc: np.ndarray) -> float | None:
    """The AUROC that is farthest from .5, on the side above it."""
    known = np.asarray(auroc, float)
    known = known[~np.isnan(known)]
    return float(0.5 + np.abs(known - 0.5).max()) if len(known) else None


def _count(values: np.ndarray | None, holds: Callable[[np.ndarray], np.ndarray]) -> int:
    return 0 if values is None else int(holds(values).sum())


def facts(grid: Grid, shuffled: Mapping[str, list[list[int]]], by_cell: pa.Table) -> dict[str, Any]:
    """tests.json: the plan, the parts with their sizes, and the counts of each contrast."""
    lines = [row for row in by_cell.to_pylist() if row["frozen"] == "none"]
    contrasts = [
        _facts(grid, question, [row for row in lines if row["contrast"] == question.name])
        | {"shuffled": shuffled[question.name]}
        for question in grid.asked.questions
    ]
    return {
        **grid.inputs.head,
        "cells": [one.cell for one in grid.kinds[RESULT]],
        "frozen_cells": [one.cell for one in grid.kinds[FROZEN]],
        "n_cells": len(grid.kinds[RESULT]),
        "paired": grid.inputs.corpora[grid.plan["parts"][DISCOVERY]["corpus"]].texts.is_paired,
        "n_features": sum(one["n_tested"] for one in contrasts),
        "base_high": _base(grid.inputs),
        "contrasts": contrasts,
        "unanswered": {**grid.plan.get("unanswered", {}), **grid.asked.skipped},
    }


def _facts(grid: Grid, question: Question, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The counts of a contrast over all cells. lines: its rows of the table by cell."""
    plan, name = grid.plan, question.name
    of, family = grid.rows[RESULT][name], grid.families[RESULT][name].maxima
    tables = []
    for one in grid.kinds[RESULT]:
        rows = one.rows(name)
        own = {key: values[rows] for key, values in grid.columns[one.cell].items()}
        tables.append((one.table.take(pa.array(rows)), own))
    statistic, effect, p = (
        joined([table[key].to_numpy() for table, _ in tables])
        for key in ("statistic", "effect", "p")
    )
    hits = joined([own["discovered"] for _, own in tables]) == 1
    confirmed, sign = of.column("confirmed") == 1, joined([one.sign for one in of.of])
    limit = maxima.threshold(family[PLAIN], plan["alpha"]) if PLAIN in family else None
    others = [part for part in plan["parts"] if part not in (DISCOVERY, CONFIRMATION, TEST)]
    return {
        **_described(question, plan),
        "n_tested": len(statistic),
        "threshold": limit,
        "n_discovered": int(hits.sum()),
        "n_discovered_up": int((hits & (statistic > 0)).sum()),
        "n_same_sign": int((of.column("statistic_confirm") > 0).sum()),
        "n_confirmed": int(confirmed.sum()),
        "n_confirmed_up": int((confirmed & (sign > 0)).sum()),
        "n_confirmed_new_words": _passed(of, NEW_WORDS, plan),
        "n_tested_once": _passed(of, TEST, plan) if TEST in plan["parts"] else None,
        "beyond": {part: _passed(of, part, plan) for part in others},
        "skipped": of.skipped,
        "n_bh": sum(row["n_bh"] for row in lines),
        "n_by": sum(row["n_by"] for row in lines),
        "n_cells_selected": sum(row["selected"] for row in lines),
        "n_hierarchy": sum(row["n_hierarchy"] for row in lines),
        "pi0": multiplicity.null_share(p),
        **_forms(tables, hits, family, plan),
        "r2_nuisances": _r2(question),
        "shrinkage": confirmation.shrinkage(_of_rows(of, "effect"), of.column("effect_confirm")),
        "frozen": _null(grid, name),
        "untrained": grid.inputs.untrained.get(name),
        "untrained_words": UNTRAINED,
        "smallest_detectable": _detectable(statistic, effect, limit),
        "p_histogram": np.histogram(p, bins=BINS, range=(0, 1))[0].tolist(),
        "volcano": _volcano(of, effect, p),
        "by_cell": [[row[key] for key in BY_CELL] for row in lines],
    }


BY_CELL = (
    *("cell", "layer", "position", "sae", "n_tested", "n_discovered", "n_confirmed"),
    "best_auroc",
)
"""Columns of the counts by cell."""


def _described(question: Question, plan: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a contrast, and the texts that it compares."""
    kind, settings = questions.settings_of(plan, question.name)
    design = question.design
    scored = design.kind == SCORES
    a, b = design.names or (kind.a.format(**settings), kind.b.format(**settings))
    words = {**settings, "a": a, "b": b}
    return {
        "name": question.name,
        "title": kind.title.format(**words),
        "question": kind.question.format(**words),
        "a": a,
        "b": b,
        "label": settings["label"] if kind.labelled else None,
        "kind": design.kind,
        "unit": "pairs" if design.kind == PAIRS else "texts",
        "effect": "Spearman's rho" if scored else "difference of firing rates",
        "scheme": exchange.SCHEMES[design.scheme],
        "primary": question.name == plan["primary"],
        "n_a": design.n_a,
        "n_b": design.n_b,
        "n_clusters": len(np.unique(design.cluster)),
        "left_out": dict(design.left_out),
    }


def _passed(of: Rows, name: str, plan: Mapping[str, Any]) -> int | None:
    """Discoveries with a family-wise p of at most alpha on a part; None where it was not asked."""
    p = of.column(f"p_{name}")
    if name in of.skipped or (len(p) and np.isnan(p).all()):
        return None
    return int((p <= plan["alpha"]).sum())


def _of_rows(of: Rows, name: str) -> np.ndarray:
    return joined([one.searched.table[name].to_numpy()[one.row] for one in of.of])


def _forms(
    tables: Sequence[tuple[pa.Table, Mapping[str, np.ndarray]]],
    hits: np.ndarray,
    family: Mapping[str, np.ndarray],
    plan: Mapping[str, Any],
) -> dict[str, Any]:
    """Discoveries of the other forms of a test: those that firing alone discovers too, and all."""
    counts: dict[str, Any] = {}
    for form in confirmation.VARIANTS:
        if form not in family:
            counts |= {f"n_{form}": None, f"n_{form}_all": None}
            continue
        hit = joined([c[f"p_maxt_{form}"] for _, c in tables]) <= plan["alpha"]
        counts |= {f"n_{form}": int((hit & hits).sum()), f"n_{form}_all": int(hit.sum())}
    return counts | {"n_magnitude": counts["n_magnitude_all"]}


def _r2(question: Question) -> float | None:
    """Share of the variance of the score that the nuisances explain; None of pairs."""
    basis = question.bases.nuisances
    if question.design.kind == PAIRS or basis is None:
        return None
    return explained(question.design.score, basis)


def _null(grid: Grid, name: str) -> dict[str, Any] | None:
    """The counts of a contrast over the frozen cells; None without such cells."""
    cells, of = grid.kinds[FROZEN], grid.rows[FROZEN][name]
    if not cells:
        return None
    auroc = joined([one.table["auroc"].to_numpy()[one.rows(name)] for one in cells])
    return {
        "n_cells": len(cells),
        "n_tested": len(auroc),
        "n_discovered": of.n,
        "n_confirmed": int((of.column("confirmed") == 1).sum()),
        "best_auroc": _best(auroc),
    }


def _detectable(statistic: np.ndarray, effect: np.ndarray, limit: float | None) -> float | None:
    """Effect at which the median feature reaches the threshold: limit * |effect / statistic|."""
    known = np.abs(statistic) > 0.5
    if limit is None or not known.any():
        return None
    return float(limit * np.median(np.abs(effect[known] / statistic[known])))


def _volcano(of: Rows, effect: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    """Effects against -log10 p: counts by bin, and the discoveries with the smallest p."""
    height = -np.log10(np.maximum(p, 1e-300))
    wide = float(np.abs(effect).max(initial=0)) or 1.0
    tall = float(height.max(initial=0)) or 1.0
    counts, x, y = np.histogram2d(effect, height, bins=(60, 40), range=((-wide, wide), (0, tall)))
    points = []
    for one, numbers in of.pairs():
        t = one.searched.table
        for k, row in enumerate(one.row):
            state = "confirmed" if numbers.get("confirmed", [0] * (k + 1))[k] == 1 else "discovered"
            points.append(
                [
                    t["effect"][int(row)].as_py(),
                    float(-np.log10(max(t["p"][int(row)].as_py(), 1e-300))),
                    one.searched.cell,
                    int(one.feature[k]),
                    state,
                ]
            )
    points.sort(key=lambda point: (-point[1], point[2], point[3]))
    full = np.argwhere(counts > 0)
    return {
        "x_edges": x.tolist(),
        "y_edges": y.tolist(),
        "counts": [[int(i), int(j), int(counts[i, j])] for i, j in full],
        "points": points[:POINTS],
    }


def _base(inputs: Inputs) -> float | None:
    """Share of the texts of discovery whose label is high."""
    plan = inputs.plan
    part = plan["parts"][DISCOVERY]
    texts = inputs.corpora[part["corpus"]].texts
    label = texts.labels.get(plan["label"]) if plan["label"] else None
    if plan["high"] is None or not isinstance(label, np.ndarray):
        return None
    values = label[parts.chosen(texts, part)]
    values = values[~np.isnan(values)]
    return float((values >= plan["high"]).mean()) if len(values) else None
