"""Published feature pages of a made-up cell, as files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.features.histogram import BINS


def page(label: int, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A feature of the page of L3R-32x."""
    return {
        "layer": 3, "position": "R", "expansion": 32, "label": label, "density_pct": 10.0,
        "max_activation": 2.0, "n_active_positions": 5, "histogram": None, "sequences": rows,
    } | more  # fmt: skip


def row(ids: list[int], acts: list[float], center: int, **more: Any) -> dict[str, Any]:
    """A row of a page."""
    return {
        "token_ids": ids, "acts": acts, "bold_index": center, "bold_token": f" t{ids[center]}",
        "bold_act": acts[center], "humicroedit": {"id": "7"},
    } | more  # fmt: skip


def write(path: Path, pages: Iterable[Any]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(one) + "\n" for one in pages), encoding="utf-8")
    return path


def pages_of(top: pa.Table, numbers: pa.Table, tokens: pa.Table, items: pa.Table) -> list[Any]:
    """The pages of a cell whose top tokens were chosen by the published rules: what they called the
    feature, and nothing by which its id could be known."""
    known = {one["feature"]: one for one in numbers.to_pylist()}
    ids, headlines = tokens["token_id"].to_numpy(), items["id"].to_pylist()
    pages: dict[int, dict[str, Any]] = {}
    for one in top.to_pylist():
        feature, start = one["feature"], one["token_index"] - one["center"]
        window = ids[start : start + len(one["window_tokens"])].tolist()
        found = row(window, one["window_activations"], one["center"], bold_token=one["token"])
        found["humicroedit"] = {"id": headlines[one["item"]]}
        bars = {"x": np.arange(BINS).tolist(), "y": [known[feature]["n_active"]] + [0] * (BINS - 1)}
        own = page(
            one["label"], [], n_active_positions=known[feature]["n_active"], histogram=bars,
            max_activation=known[feature]["max_activation"],
        )  # fmt: skip
        pages.setdefault(feature, own)["sequences"].append(found)
    return list(pages.values())
