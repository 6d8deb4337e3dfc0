"""Densities: the share of tokens on which each feature is active, in the edits and around them
(design, semantics 5)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.base.words import EDITED, PLAIN
from saegrid.codes.sparse import Features, feature_ranges
from saegrid.features.statistics import Statistic, registered, starts

CUTS = (1e-3, 1e-2)
"""Densities at which features are counted: the published pages' cut, and their text's."""


def schema(statistics: Sequence[Statistic]) -> pa.Schema:
    """The columns of features.parquet with these statistics."""
    return pa.schema(
        [
            ("feature", pa.int32()),
            ("n_active", pa.int64()),
            ("density", pa.float64()),
            ("density_in_edit", pa.float64()),
            ("density_context", pa.float64()),
            ("max_activation", pa.float32()),
            *((statistic.name, pa.float64()) for statistic in statistics),
            ("rank", pa.int32()),
        ]
    )


class Counted(NamedTuple):
    """The tokens that a corpus counts, as truth values over the rows of its token table."""

    masked: np.ndarray
    """(token,) bool: where a feature must be active to count."""
    context: np.ndarray
    """(token,) bool: captured tokens of the same texts outside the edit; none in plain text."""
    n_tokens: int
    """Number of tokens that `density` divides by."""
    n_edit: int
    """Masked tokens of pairs, what `density_in_edit` divides by; 0 in plain text."""


def counted(
    tokens: pa.Table, kept: np.ndarray, captured: np.ndarray, layout: str = "headline"
) -> Counted:
    """The tokens that count.

    tokens: tokens.parquet; kept: (item,) bool; captured: (captured token,) token indices.

    Pairs: masked are the tokens of the edit on the edited side of kept items; `density` divides by
    all non-special tokens of that side, in the layout `packed` by all its positions, as published.
    Plain text has no edit: every captured non-special token of kept items is masked, and `density`
    divides by them.

    Raises ValueError where `kept` is too short or a masked token was not captured.
    """
    item = tokens["item"].to_numpy()
    if len(item) and item.max() >= len(kept):
        raise ValueError(
            f"selection: kept must say of {item.max() + 1} items whether they count; got "
            f"{len(kept)}. Make selection and tokens from the same corpus."
        )
    side = tokens["side"].cast(pa.string())
    special = _truth(tokens["special"])
    seen = np.zeros(len(item), dtype=bool)
    seen[captured] = True
    ours = (item >= 0) & np.append(kept, False)[item] & ~special
    edited = _truth(pc.equal(side, EDITED))
    if not (edited & (item >= 0)).any():
        masked = ours & _truth(pc.equal(side, PLAIN)) & seen
        return Counted(masked, np.zeros_like(masked), int(masked.sum()), 0)
    in_edit = _truth(tokens["in_edit"])
    text = ours & edited
    masked = text & in_edit
    if (masked & ~seen).any():
        raise ValueError(
            f"activations: {int((masked & ~seen).sum())} of {int(masked.sum())} tokens of the edits"
            " were not captured, the first is token "
            f"{int(np.argmax(masked & ~seen))}; densities need all. Set tokens: {{edited: all}}."
        )
    n_tokens = int((edited if layout == "packed" else text).sum())
    return Counted(masked, text & ~in_edit & seen, n_tokens, int(masked.sum()))


def density(
    features: Features, tokens: pa.Table, kept: np.ndarray, layout: str = "headline"
) -> pa.Table:
    """features.parquet: one row a feature that is active on a masked token, in order of rank.

    Rank 0 is the densest; ties go to the smaller id. A share without a denominator is null:
    density_in_edit of plain text, density_context where no context was captured; so is a statistic
    that a feature has not. Arguments and errors as in `counted`; ValueError also names a statistic
    that does not give one number a feature.
    """
    statistics = registered()
    count = counted(tokens, kept, features.token, layout)
    return _table(_active(features, count, statistics), count, statistics)


class Active(NamedTuple):
    """Counts and sums of each feature's activations."""

    n: np.ndarray
    """(d_sae,) int64: active masked tokens."""
    n_context: np.ndarray
    """(d_sae,) int64: active context tokens."""
    largest: np.ndarray
    """(d_sae,) float32: largest activation on a masked token."""
    numbers: np.ndarray
    """(d_sae, statistic) float64: the statistics; 0 without an active masked token."""


def _active(features: Features, count: Counted, statistics: Sequence[Statistic]) -> Active:
    """A range of features at a time: those of a large corpus need not fit into memory."""
    ranges = feature_ranges(features.indptr)
    parts = [_active_part(features.part(*part), count, statistics) for part in ranges]
    return Active(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _active_part(features: Features, count: Counted, statistics: Sequence[Statistic]) -> Active:
    owners = features.owners()
    hit = count.masked[features.indices]
    n_active = np.bincount(owners[hit], minlength=features.d_sae)
    n_context = np.bincount(owners[count.context[features.indices]], minlength=features.d_sae)
    alive = np.flatnonzero(n_active)
    values, counts = features.data[hit], n_active[alive]
    for shared in (values, counts):
        shared.flags.writeable = False  # a statistic that sorts in place would change the next
    largest = np.zeros(features.d_sae, dtype=np.float32)
    numbers = np.zeros((features.d_sae, len(statistics)))
    if len(alive):
        largest[alive] = np.maximum.reduceat(values, starts(counts))
        for k, statistic in enumerate(statistics):
            numbers[alive, k] = statistic.numbers(values, counts)
    return Active(n_active, n_context, largest, numbers)


def _table(active: Active, count: Counted, statistics: Sequence[Statistic]) -> pa.Table:
    """The rows of the features that are active on a masked token, in order of rank."""
    alive = np.flatnonzero(active.n)
    order = alive[np.argsort(-active.n[alive], kind="stable")]  # one denominator: counts rank
    n = active.n[order]
    columns = [
        order.astype(np.int32),
        n,
        _share(n, count.n_tokens),
        _share(n, count.n_edit),
        _share(active.n_context[order], int(count.context.sum())),
        active.largest[order],
        *(pa.array(column, from_pandas=True) for column in active.numbers[order].T),  # NaN is null
        np.arange(len(order), dtype=np.int32),
    ]
    fields = schema(statistics)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays(arrays, schema=fields)


def facts(
    features: Features,
    tokens: pa.Table,
    kept: np.ndarray,
    layout: str = "headline",
    cuts: Sequence[float] = CUTS,
) -> dict[str, Any]:
    """Counts and densities of a cell as JSON values; null where nothing was counted.

    d_sae; n_tokens, n_masked, n_context, n_captured (tokens); n_active (features active on a masked
    token), n_above_{cut} (of at least that density), dead_share (features not active on a masked
    token); median_density and max_density over the active; l0_masked, l0_context, l0 (active
    features a masked, context, captured token).

    Raises:
        ValueError: as in `counted`.
    """
    count = counted(tokens, kept, features.token, layout)
    active = _active(features, count, ())
    table = _table(active, count, ())
    densities = table["density"].to_numpy()
    n_masked, n_context = int(count.masked.sum()), int(count.context.sum())
    alive = table.num_rows
    return {
        "d_sae": features.d_sae,
        "n_tokens": count.n_tokens,
        "n_masked": n_masked,
        "n_context": n_context,
        "n_captured": len(features.token),
        "n_active": alive,
        **{f"n_above_{cut:g}": int((densities >= cut).sum()) for cut in cuts},
        "dead_share": _ratio(features.d_sae - alive, features.d_sae),
        "median_density": float(np.median(densities)) if alive else None,
        "max_density": float(densities[0]) if alive else None,
        "l0_masked": _ratio(int(active.n.sum()), n_masked),
        "l0_context": _ratio(int(active.n_context.sum()), n_context),
        "l0": _ratio(len(features.data), len(features.token)),
    }


def _share(counts: np.ndarray, total: int) -> pa.Array:
    """counts / total, null for a total of 0."""
    if total == 0:
        return pa.nulls(len(counts), pa.float64())
    return pa.array(counts / total)


def _ratio(count: int, total: int) -> float | None:
    return count / total if total else None


def _truth(column: pa.ChunkedArray) -> np.ndarray:
    """A column of truth values as bool; null is false."""
    return pc.fill_null(column, False).to_numpy(zero_copy_only=False).astype(bool)
