"""The examples of a page as arrays: windows, the activations in their rows, histograms."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features, feature_ranges, find, select
from saegrid.features.histogram import BINS, Histogram
from saegrid.features.histogram import histograms as histograms_of
from saegrid.pages.browser.pack import expand, flatten

SPECIAL, IN_EDIT, UNCAPTURED = 1, 2, 4
"""Bits of a token's flag."""

SCHEMA = pa.schema(
    [
        ("feature", pa.int64()),
        ("token_index", pa.int64()),
        ("row", pa.int64()),
        ("position", pa.int64()),
        ("item", pa.int64()),
        ("activation", pa.float32()),
        ("token", pa.string()),
        ("word", pa.string()),
        ("window_tokens", pa.list_(pa.string())),
        ("window_activations", pa.list_(pa.float32())),
        ("center", pa.int64()),
        ("group", pa.string()),
    ]
)


@dataclass(frozen=True)
class Tokens:
    """The columns of tokens.parquet that a page needs."""

    row: np.ndarray
    special: np.ndarray
    in_edit: np.ndarray
    group: np.ndarray
    item: np.ndarray
    text: pa.Array

    @classmethod
    def of(cls, table: pa.Table) -> "Tokens":
        """The columns as arrays (token,)."""
        names = ("row", "special", "in_edit", "group", "item")
        arrays = {name: table[name].to_numpy().astype(np.int64) for name in names}
        text = table["text"].cast(pa.string()).combine_chunks()
        bits = {name: arrays.pop(name).astype(bool) for name in ("special", "in_edit")}
        return cls(text=text, **arrays, **bits)


def examples_of(top: pa.Table, examples: pa.Table | None, near: pa.Table | None = None) -> pa.Table:
    """All examples in one table with a `group`; the samples first, then `top`, then `near`."""

    def grouped(table: pa.Table, name: str) -> pa.Table:
        return table.append_column("group", pa.array([name] * len(table), pa.string()))

    tables = [] if examples is None else [examples]
    tables += [grouped(top, "top")] + ([] if near is None else [grouped(near, "near")])
    return pa.concat_tables([table.select(SCHEMA.names).cast(SCHEMA) for table in tables])


@dataclass(frozen=True)
class Windows:
    """Examples in page order. `flat` arrays run over the tokens of all windows."""

    table: pa.Table
    order: np.ndarray
    """Place of the example's feature on the page (example,)."""
    offsets: np.ndarray
    """Start of each window in the flat arrays (example + 1,)."""
    tokens: pa.Array
    """Token strings (flat,)."""
    activations: np.ndarray
    """float32 activations, NaN where a token was not captured (flat,)."""
    owner: np.ndarray
    """Example of each token (flat,)."""
    index: np.ndarray
    """Token index of each token (flat,)."""


def windows(table: pa.Table, place: np.ndarray, tokens: Tokens) -> Windows:
    """The examples sorted by the place of their feature; ValueError where tables do not fit.

    place: (d_sae,) the place of each feature on the page, -1 where it has none.
    """
    order = place[table["feature"].to_numpy()]
    if (order < 0).any():
        feature = table["feature"][int(np.argmin(order))].as_py()
        raise ValueError(
            f"An example shows feature {feature}, which features.parquet does not list; "
            "make features, top tokens and examples from the same cell."
        )
    by_place = np.argsort(order, kind="stable")
    table, order = table.take(pa.array(by_place)), order[by_place]
    strings, offsets = flatten(table["window_tokens"])
    activations, other = flatten(table["window_activations"])
    if not np.array_equal(offsets, other):
        raise ValueError("window_tokens and window_activations must have the same lengths.")
    first = table["token_index"].to_numpy() - table["center"].to_numpy()
    owner, index = expand(first, first + np.diff(offsets))
    row = table["row"].to_numpy()
    inside = (index >= 0) & (index < len(tokens.row))
    if not inside.all() or (tokens.row[index] != row[owner]).any():
        raise ValueError(
            "A window leaves its row: token_index, center and row of an example must agree with "
            "tokens.parquet; make them from the same corpus."
        )
    values = activations.to_numpy(zero_copy_only=False).astype(np.float32)
    return Windows(table, order, offsets, strings, values, owner, index)


def row_activations(
    shown: Windows, tokens: Tokens, values: Features
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every non-zero activation in the rows of the examples: (example, position in row, value).

    Inside a window the window's own values hold; beyond it those of the sparse matrix.
    """
    row = shown.table["row"].to_numpy()
    start = np.searchsorted(tokens.row, row, "left")
    stop = np.searchsorted(tokens.row, row, "right")
    live = np.nan_to_num(shown.activations) > 0
    feature = shown.table["feature"].to_numpy()
    owner, entry = expand(find(values, feature, start), find(values, feature, stop))
    index = values.indices[entry].astype(np.int64)
    first = shown.table["token_index"].to_numpy() - shown.table["center"].to_numpy()
    beyond = (index < first[owner]) | (index >= (first + np.diff(shown.offsets))[owner])
    example = np.concatenate([shown.owner[live], owner[beyond]])
    position = np.concatenate([shown.index[live], index[beyond]]) - start[example]
    value = np.concatenate([shown.activations[live], values.data[entry][beyond]])
    order = np.lexsort([position, example])
    return example[order], position[order], value[order].astype(np.float32)


def masked_tokens(tokens: Tokens, kept: np.ndarray | None) -> np.ndarray:
    """(token,) bool: the tokens of the edit, never special, of kept items (design, semantics 5); in
    plain text, which has no edit, all tokens (`density.counted`)."""
    masked = ~tokens.special & (tokens.item >= 0)
    if tokens.in_edit.any():
        masked &= tokens.in_edit
    if kept is not None:
        masked &= kept[tokens.item]
    return masked


def seen(values: Features, masked: np.ndarray) -> np.ndarray:
    """(d_sae,) int64: the active masked tokens of each feature that `values` hold."""
    return np.bincount(values.owners()[masked[values.indices]], minlength=values.d_sae)


def histograms(features: pa.Table, values: Features, masked: np.ndarray) -> Histogram:
    """Histograms of the non-zero masked activations of each feature, (feature,) in front.

    The counts of a feature sum to its n_active; ValueError names the first feature where they do
    not.
    """
    feature = features["feature"].to_numpy()
    edges, counts = np.empty((len(feature), BINS + 1)), np.empty((len(feature), BINS), np.int64)
    for start, stop in feature_ranges(values.indptr):
        part = values.part(start, stop)
        hit = select(part, masked[part.indices])
        binned = histograms_of(hit.data, hit.indptr)
        rows = np.flatnonzero((feature >= start) & (feature < stop))
        edges[rows] = binned.edges[feature[rows] - start]
        counts[rows] = binned.counts[feature[rows] - start]
    total, wanted = counts.sum(axis=1), features["n_active"].to_numpy()
    if len(wrong := np.flatnonzero(total != wanted)):
        at = wrong[0]
        raise ValueError(
            f"Feature {feature[at]} must have n_active = {wanted[at]} non-zero masked "
            f"activations; the matrix has {total[at]}. Make features.parquet, "
            "features.safetensors, tokens and selection from the same run."
        )
    return Histogram(edges, counts)
