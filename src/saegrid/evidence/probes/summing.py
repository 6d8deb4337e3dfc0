"""The classifiers of a study side by side: their tables, and whether SAEs add to the best of the
others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.registry import pick
from saegrid.evidence.exchange import generator
from saegrid.evidence.intervals import percentiles, resampled
from saegrid.evidence.parts import CONFIRMATION
from saegrid.evidence.probes.classify import METHODS
from saegrid.evidence.probes.representations import REPRESENTATIONS
from saegrid.evidence.probes.scores import score

QUIVER = (
    "Of all classifiers the one with the best score in the folds of discovery is taken, once from "
    "those without SAEs (words, activations of all sites) and once from all; both then predict "
    "{part}, which chose none of them (Kantamneni et al., 2502.16681)."
)


def summary(tables: Sequence[pa.Table], facts: Sequence[Mapping[str, Any]]) -> pa.Table:
    """All summaries as one table, with ceiling and words (definition of the representation)."""
    whole = pa.concat_tables(tables, promote_options="default")
    ceilings = {one["name"]: one["ceiling"] for one in facts}
    probes, names = whole["probe"].to_pylist(), whole["representation"].to_pylist()
    best = pa.array([ceilings[name] for name in probes], pa.float64())
    words = pa.array([pick(REPRESENTATIONS, n, "Representation").definition for n in names])
    return whole.append_column("ceiling", best).append_column("words", words)


def probes(
    table: pa.Table,
    facts: Sequence[Mapping[str, Any]],
    tensors: Sequence[Mapping[str, np.ndarray]],
    counts: Sequence[int],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """The facts of probes.json.

    table: of `summary`; tensors: of the texts' job and of each site, whose rows of the table stand
    in this order, `counts` of each.
    """
    rows = table.to_pylist()
    job = np.repeat(np.arange(len(counts)), counts)
    out = []
    for one in facts:
        own = [n for n, row in enumerate(rows) if row["probe"] == one["name"]]
        chances = [rows[n]["chance"] for n in own if rows[n]["chance"] is not None]
        predictions = {}
        for number in range(len(counts)):
            of_job = [n for n in own if job[n] == number]
            predictions |= dict(
                zip(of_job, tensors[number].get(f"{one['name']}/predictions", ()), strict=True)
            )
        out.append(
            {
                **one,
                "chance": float(np.mean(chances)) if chances else None,
                "best": _best(rows, own),
                "quiver": quiver(rows, own, predictions, one, tensors[0], settings),
            }
        )
    definitions = {
        name: pick(REPRESENTATIONS, name, "Representation").definition
        for name in dict.fromkeys(row["representation"] for row in rows)
    }
    absent = [n for n in settings["representations"] if n not in definitions]
    return {
        "probes": out,
        "representations": definitions,
        "left_out": {
            name: pick(REPRESENTATIONS, name, "Representation").definition for name in absent
        },
        "methods": METHODS,
        "ks": settings["ks"],
        "l2": settings["l2"],
        "draws": settings["draws"],
        "shuffles": settings["shuffles"],
    }


def _best(rows: Sequence[Mapping[str, Any]], own: Sequence[int]) -> list[dict[str, Any]]:
    """The best classifier of each representation by the folds of discovery."""
    best: dict[str, Mapping[str, Any]] = {}
    for n in own:
        row = rows[n]
        known = best.get(row["representation"])
        if row["score"] is not None and (known is None or row["score"] > known["score"]):
            best[row["representation"]] = row
    return [_named(row) for row in best.values()]


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("representation", "site", "cell", "method", "k", "score", "low", "high")
    return {key: row[key] for key in keys}


def quiver(
    rows: Sequence[Mapping[str, Any]],
    own: Sequence[int],
    predictions: Mapping[int, np.ndarray],
    facts: Mapping[str, Any],
    texts: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
) -> dict[str, Any] | None:
    """The gain of the set of classifiers with SAEs over the set without, on confirmation; None
    where there is no such part, or one set is empty.

    rows, own: the summary, and the numbers of the rows of a probe; predictions: (row,) by these
    numbers; texts: tensors of the texts' job.
    """
    parts = list(facts["parts"])
    if CONFIRMATION not in parts:
        return None
    scored = [n for n in own if rows[n]["score"] is not None]
    of_cells = {n for n in scored if rows[n]["cell"] is not None}
    without = [n for n in scored if n not in of_cells]
    if not of_cells or not without:
        return None
    chosen = [max(group, key=lambda n: (rows[n]["score"], -n)) for group in (without, scored)]
    name = facts["name"]
    part = np.flatnonzero(texts[f"{name}/part"] == parts.index(CONFIRMATION))
    y = texts[f"{name}/y"][part]
    rng = generator(settings["seed"], f"quiver {name}")
    weight = resampled(texts[f"{name}/cluster"][part], settings["draws"], rng)
    a, b = (score(predictions[n][part].astype(float), y, weight, facts["kind"]) for n in chosen)
    low, high = percentiles((b - a)[None])
    return {
        "part": CONFIRMATION,
        "words": QUIVER.format(part=CONFIRMATION),
        "without": float(a[0]),
        "with": float(b[0]),
        "gain": float(b[0] - a[0]),
        "low": float(low[0]),
        "high": float(high[0]),
        "without_method": _named(rows[chosen[0]]),
        "with_method": _named(rows[chosen[1]]),
        "n_without": len(without),
        "n_with": len(scored),
    }
