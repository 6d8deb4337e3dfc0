"""Discovered features as the page of findings carries them: the first by rank, with examples."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.pages.browser.defined import groups
from saegrid.pages.browser.pack import dumped
from saegrid.pages.browser.sentences import Contrast

MOST = 2000
"""Rows that the page carries."""
KEPT = {"strongest": 3, "random": 1, "miss": 1}
"""Examples of a feature by kind."""
AROUND = 160
"""Characters of a text that are shown before and after its edit."""
ROOM = 4_000_000
"""Bytes of examples that the page carries at most."""
KEYS = ("contrast", "cell", "feature")


def results(table: pa.Table) -> pa.Table:
    """The rows of SAEs of which nothing was frozen."""
    if "frozen" not in table.column_names:
        return table
    kept = [value == "none" for value in table["frozen"].to_pylist()]
    return table.filter(pa.array(kept, pa.bool_()))


def ranked(table: pa.Table) -> np.ndarray:
    """Rows in the order of the page: confirmed ones first, contrasts taking turns, those with the
    surest lift first in each.

    The surest lift has the interval whose nearer end is farthest from 1, either way; where there is
    no interval of it, the surest effect likewise. By p, wide features with small effects would come
    first.
    """
    low, high = _floats(table, "lift_low"), _floats(table, "lift_high")
    with np.errstate(invalid="ignore", divide="ignore"):
        sure = np.maximum(low, 1 / high)
    ends = np.stack([_first(table, f"{end}_confirm", end) for end in ("low", "high")])
    effect = np.where(np.sign(ends[0]) == np.sign(ends[1]), np.abs(ends).min(axis=0), 0.0)
    no_lift = np.isnan(sure)
    confirmed = np.array(table["confirmed"].to_pylist(), object) == True  # noqa: E712
    names, contrast = np.unique(np.array(table["contrast"].to_pylist(), str), return_inverse=True)
    cell = np.array(table["cell"].to_pylist(), str)
    order = np.lexsort(
        (
            table["feature"].to_numpy(),
            cell,
            -np.nan_to_num(effect),
            np.where(no_lift, 0, -np.nan_to_num(sure, posinf=1e9)),
            no_lift,
            contrast,
            ~confirmed,
        )
    )
    turn = np.zeros(len(order), np.int64)
    group = confirmed[order] * len(names) + contrast[order] if len(order) else turn
    for value in np.unique(group):
        rows = group == value
        turn[rows] = np.arange(rows.sum())
    return order[np.lexsort((contrast[order], turn, ~confirmed[order]))]


def data(
    tests: Mapping[str, Any],
    discoveries: pa.Table,
    examples: pa.Table,
    contrasts: Sequence[Contrast],
    further: Sequence[str],
    most: int = MOST,
) -> dict[str, Any]:
    """Discovered features as the script of the page reads them; those of frozen SAEs, which are a
    null, are left out."""
    every = results(discoveries)
    table = every.take(pa.array(ranked(every)[:most]))
    names = [contrast.name for contrast in contrasts]
    shown = groups(table.column_names, further)
    cells = sorted(set(table["cell"].to_pylist()))
    place = {"contrast": {name: i for i, name in enumerate(names)},
             "cell": {name: i for i, name in enumerate(cells)}}  # fmt: skip
    columns: dict[str, list[Any]] = {
        name: [place[name][value] for value in table[name].to_pylist()] for name in place
    }
    for name in ("layer", "position", "sae", "feature", "sign", "confirmed", "words"):
        columns[name] = table[name].to_pylist()
    for _, of in shown:
        columns |= {name: _short(table[name].to_pylist()) for name in of}
    return {
        "corpus": tests["corpus"],
        "study": tests["study"],
        "label": tests.get("label"),
        "base": tests.get("base_high"),
        "alpha": tests["plan"]["alpha"],
        "contrasts": [
            {
                "name": contrast.name,
                "title": contrast["title"],
                "a": str(contrast["a"]),
                "b": str(contrast["b"]),
                "rates": contrast.is_of_rates,
                "primary": bool(contrast.get("primary")),
            }
            for contrast in contrasts
        ],
        "cells": cells,
        "columns": columns,
        "groups": [
            [name, [[column, one.words, one.form] for column, one in of.items()]]
            for name, of in shown
        ],
        "examples": _examples(table, examples),
    }


def script(value: Any) -> str:
    """A value as JSON in which no character can end or open markup."""
    text = dumped(value)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _keys(table: pa.Table) -> pa.Array:
    texts = [table[name].combine_chunks().cast(pa.string()) for name in KEYS]
    return pc.binary_join_element_wise(*texts, "\x1f")


def _examples(table: pa.Table, examples: pa.Table) -> list[list[list[Any]]]:
    """Per row its examples [kind, before, original, edited, after, activation, label, id]; those of
    the first rows, as many as there is room for."""
    keys = _keys(table).to_pylist()
    own = examples.filter(pc.is_in(_keys(examples), value_set=pa.array(keys, pa.string())))
    by_key: dict[str, dict[str, list[list[Any]]]] = {}
    for key, row in zip(_keys(own).to_pylist(), own.to_pylist(), strict=True):
        of_kind = by_key.setdefault(key, {}).setdefault(row["kind"], [])
        if len(of_kind) < KEPT.get(row["kind"], 0):
            of_kind.append(
                [
                    row["kind"],
                    _tail(row["before"] or ""),
                    _head(row["original"] or ""),
                    _head(row["edited"] or ""),
                    _head(row["after"] or ""),
                    *_short([row["activation"], row["label"]]),
                    row["id"],
                ]
            )
    listed, room = [], ROOM
    for key in keys:
        of_row = [one for kind in KEPT for one in by_key.get(key, {}).get(kind, ())]
        room -= len(dumped(of_row).encode())
        listed.append(of_row if room > 0 else [])
    return listed


def _tail(text: str) -> str:
    return text if len(text) <= AROUND else f"…{text[-AROUND:]}"


def _head(text: str) -> str:
    return text if len(text) <= AROUND else f"{text[:AROUND]}…"


def _short(values: Sequence[Any]) -> list[Any]:
    """Numbers with six digits; None where they are no number."""
    return [
        value
        if not isinstance(value, float)
        else (float(f"{value:.6g}") if math.isfinite(value) else None)
        for value in values
    ]


def _floats(table: pa.Table, name: str) -> np.ndarray:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return table[name].cast(pa.float64()).to_numpy()


def _first(table: pa.Table, name: str, other: str) -> np.ndarray:
    values = _floats(table, name)
    return np.where(np.isnan(values), _floats(table, other), values)
