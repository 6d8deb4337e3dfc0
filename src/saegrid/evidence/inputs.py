"""The files that the tests of a study are made from."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from saegrid.base import io
from saegrid.base.paths import expand
from saegrid.codes.sparse import Features, read_features
from saegrid.evidence.planning import plan_digest, read_all
from saegrid.evidence.records import Beside, Inputs, Outcome, Searched
from saegrid.evidence.search import from_tensors


def read_inputs(files: Any, settings: Mapping[str, Any]) -> Inputs:
    """All inputs of the tests. files: lists of paths by name, see the stage `tests`."""
    cells, names = [cell for cell, _ in settings["cells"]], settings["corpora"]
    plan = io.read_json(files.plan)
    paths = dict(
        zip([(cell, name) for name in names for cell in cells], files.features, strict=True)
    )
    captured = {name: io.read_tensors(paths[cells[0], name], ["token"])["token"] for name in names}
    searched = []
    for (cell, frozen), table, largest in zip(
        settings["cells"], files.searched, files.maxima, strict=True
    ):
        maxima, tails = from_tensors(io.read_tensors(largest))
        searched.append(Searched(cell, frozen, io.read_table(table), maxima, tails))
    at = {cell: place for place, cell in enumerate(cells)}

    @lru_cache(maxsize=2)
    def features(cell: str, corpus: str) -> Features:
        return read_features(paths[cell, corpus])

    @lru_cache(maxsize=2)
    def beside(cell: str) -> Beside:
        place = at[cell]
        wanted = ["feature", "density", "density_in_edit", "density_context"]
        return Beside(
            io.read_table(files.densities[place], wanted),
            io.read_table(files.top_tokens[place], ["feature", "word"]),
            io.read_table(files.reference[place], wanted) if files.reference else None,
        )

    head = {
        "study": settings["study"],
        "model": settings["model"],
        "corpus": settings["corpus"],
        "plan": {key: value for key, value in plan.items() if key not in ("changes", "counts")},
        "plan_digest": plan_digest(plan)[:12],
        "plan_changes": plan["changes"],
        "parts": {
            name: {**part, "n": plan["counts"][name]} for name, part in plan["parts"].items()
        },
        "label": plan["label"],
        "high": plan["high"],
        "low": plan["low"],
        "nuisances": {
            "groups": plan["nuisances"],
            **io.table_facts(files.nuisances[0]),
        },
        "reference": settings["reference"],
        "reconstruction": [_reconstruction(path) for path in files.measured],
    }
    return Inputs(
        plan,
        read_all(names, files, captured, plan["seed"]),
        searched,
        features,
        beside,
        head,
        _untrained(settings["untrained"]),
    )


RECONSTRUCTION = ("l0", "fvu", "ce_recovered")
"""Metrics of a cell that stand on the main and on the reference corpus."""


def _reconstruction(path: str) -> dict[str, Any]:
    """Reconstruction of a cell on a corpus, from its metrics.json; null of what it has not."""
    facts = io.read_json(path)
    values = {name: facts["metrics"].get(name, {}).get("value") for name in RECONSTRUCTION}
    return {"cell": facts["cell"], "corpus": facts["corpus"], "n": facts["tokens"]["n"], **values}


def write_cells(paths: Sequence[str], outcome: Outcome, spec: str) -> None:
    """Write tests.parquet of each cell, whose names are folders of the paths."""
    for path in paths:
        io.write_table(path, outcome.cells[Path(path).parent.name], spec)


def _untrained(study: str | None) -> dict[str, Any]:
    """The counts of the study of the untrained model by contrast; none where it was not run."""
    path = Path(expand(f"results/{study}/tests.json"))
    if not study or not path.is_file():
        return {}
    keys = ("n_tested", "n_discovered", "n_confirmed")
    return {
        one["name"]: {"study": study, "n_cells": facts["n_cells"], **{k: one[k] for k in keys}}
        for facts in [io.read_json(path)]
        for one in facts["contrasts"]
    }
