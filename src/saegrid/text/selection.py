"""The items that a study counts: a label compared with a number. Others stay in the files."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.io import read_table
from saegrid.base.registry import nearest

COMPARATORS: dict[str, Callable[[Any, Any], Any]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
    "eq": operator.eq,
    "ne": operator.ne,
}
"""Comparison of a label: label first, value second, both as float64."""

SIBLINGS = {"ge": "gt", "gt": "ge", "le": "lt", "lt": "le", "eq": "ne", "ne": "eq"}
"""The strict or non-strict other of a comparator; both counts are reported (S0.3)."""


def selection(
    items: pa.Table,
    column: str | None = None,
    comparator: str = "ge",
    value: float = 0.0,
    splits: Sequence[str] | None = None,
) -> pa.Table:
    """Item and whether it is kept, one row an item (design, artefacts; requirements, S0.3, S0.4).

    An item is kept where its label compares with `value` (`ge 2.0`: at least 2.0) and its split is
    among `splits`. Without a column the labels do not matter, without splits the splits do not.

    Raises:
        ValueError: an unknown column, comparator or split, or a label that is no number.
    """
    kept = _in_splits(items, splits)
    if column is not None:
        kept &= _compared(items, column, comparator, value)
    return pa.table({"item": items["item"], "kept": pa.array(kept)})


def report(
    items: pa.Table,
    column: str | None = None,
    comparator: str = "ge",
    value: float = 0.0,
    splits: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Kept, total and percent of a selection, and of its strict or non-strict sibling.

    The total are the items of the splits. `sibling` is null without a column. Raises what
    `selection` raises, and ValueError where nothing is kept.
    """
    total = int(_in_splits(items, splits).sum())

    def counts(how: str) -> dict[str, Any]:
        kept = int(np.sum(selection(items, column, how, value, splits)["kept"].to_numpy()))
        percent = 100 * kept / total if total else 0.0
        return {"kept": kept, "total": total, "percent": percent}

    result = {
        "column": column,
        "comparator": None if column is None else comparator,
        "value": None if column is None else float(value),
        "splits": None if splits is None else list(splits),
        **counts(comparator),
        "sibling": None,
    }
    if column is not None:
        sibling = SIBLINGS[comparator]
        result["sibling"] = {"comparator": sibling, **counts(sibling)}
        if total and not result["kept"]:
            known = [label for label in items[column].to_pylist() if label is not None]
            raise ValueError(
                f"filter: {column} {comparator} {value:g} keeps none of the {total} items, whose "
                f"{column} reaches from {min(known):g} to {max(known):g}, so that there is nothing "
                "to count. Mend comparator, value or splits."
            )
    return result


def _in_splits(items: pa.Table, splits: Sequence[str] | None) -> np.ndarray:
    """(item,) bool: True if the item is in one of the splits."""
    item_splits = items["split"].to_pylist()
    known = sorted(set(item_splits))
    for split in splits or ():
        if split not in known:
            raise ValueError(
                f"filter.splits: the corpus has no split {split!r}.{nearest(split, known)} "
                f"Splits: {', '.join(known)}."
            )
    chosen = set(known if splits is None else splits)
    return np.array([split in chosen for split in item_splits], dtype=bool)


def _compared(items: pa.Table, column: str, comparator: str, value: float) -> np.ndarray:
    """(item,) bool: True if the item's label compares with the value, False for a missing label."""
    known = list(COMPARATORS)
    if comparator not in known:
        raise ValueError(
            f"filter.comparator: {comparator!r} is unknown.{nearest(comparator, known)} "
            f"Known: {', '.join(known)}."
        )
    numbers = [field.name for field in items.schema if pa.types.is_floating(field.type)]
    if column not in numbers:
        what = "is not a number label" if column in items.column_names else "is no label"
        raise ValueError(
            f"filter.column: {column!r} {what}; a filter compares a number."
            f"{nearest(column, numbers)} Number labels: {', '.join(numbers) or 'none'}."
        )
    labels = items[column].to_numpy().astype(np.float64)
    return COMPARATORS[comparator](labels, float(value)) & ~np.isnan(labels)


def kept_of(path: str | Sequence[str]) -> np.ndarray | None:
    """(item,) bool of a selection.parquet; None where there is none (an empty list of paths)."""
    paths = [path] if isinstance(path, str) else list(path)
    return read_table(paths[0])["kept"].to_numpy() if paths else None
