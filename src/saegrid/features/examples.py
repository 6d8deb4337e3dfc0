"""Examples of each feature: its top tokens and a sample of the others (design, semantics 7)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import ORIGINAL
from saegrid.codes.sparse import Features, feature_ranges
from saegrid.features import ordering
from saegrid.features.density import counted
from saegrid.features.windows import Chosen, example_table

QUANTILES = 5
"""Groups of equal number into which the active tokens of a feature are cut by activation."""

GROUPS = ["random", *(f"q{number}" for number in range(1, QUANTILES + 1))]
"""Groups of the examples."""

LABEL_BATCH = 64
"""Features that the published pages sorted together."""


class Entries(NamedTuple):
    """Active masked tokens of the features shown; features are numbered in the order shown."""

    features: np.ndarray
    """(shown,) feature ids."""
    place: np.ndarray
    """(entry,) number of the feature."""
    token: np.ndarray
    """(entry,) token indices, ascending within a feature."""
    value: np.ndarray
    """(entry,) float32, above zero."""


def top_tokens(
    features: Features,
    table: pa.Table,
    tokens: pa.Table,
    kept: np.ndarray,
    cut: float = 0.0,
    n: int = 20,
    window: tuple[int, int] = (5, 5),
    layout: str = "headline",
    published: bool = False,
    by_label: bool = False,
) -> pa.Table:
    """top_tokens.parquet: the n masked tokens of largest activation of every feature shown.

    table: features.parquet, whose order is kept; shown are densities of at least `cut`. tokens:
    tokens.parquet; kept: (item,) bool. Ties go to the smaller token index; a feature with seven
    active tokens shows seven. What a window holds says `windows.example_table`.

    published: the rules of the published pages (originals, F3 and F9). Tokens nearer than
    window[0] + 1 to the start of a row or than window[1] to its end are never chosen; a list of
    less than n is filled with tokens of activation 0 in order of the index; windows show masked
    activations; and a column `label` has what the pages called the feature (`published_labels`),
    unless features are numbered by their labels, `by_label`.
    """
    masked = counted(tokens, kept, features.token, layout).masked
    if not published:
        columns = by_range(features, table, masked, cut, lambda entries: _top(entries, n))
        chosen = Chosen(*columns)
        return example_table(features, tokens, chosen, window)
    selectable = away_from_edges(tokens, window)

    def filled(entries: Entries) -> Chosen:
        return _filled(features, entries, _top(entries, n), selectable, n)

    chosen = Chosen(*by_range(features, table, masked & selectable, cut, filled))
    examples = example_table(features, tokens, chosen, window, only=masked)
    if by_label:
        return examples
    labels = published_labels(features, masked)[chosen.feature]
    return examples.append_column("label", pa.array(labels, pa.int32()))


def examples(
    features: Features,
    table: pa.Table,
    tokens: pa.Table,
    kept: np.ndarray,
    cut: float = 0.0,
    random: int = 5,
    per_quantile: int = 2,
    seed: int = 0,
    window: tuple[int, int] = (5, 5),
    layout: str = "headline",
) -> pa.Table:
    """examples.parquet: a sample of the active masked tokens of every feature shown.

    The columns of `top_tokens` and `group`: `random` is drawn from all of them, q1 to q5 from the
    fifths of equal number in ascending order of activation (q5 the strongest). A draw depends on
    seed, feature and token alone. Within a group the larger activation comes first.
    """
    masked = counted(tokens, kept, features.token, layout).masked

    def sample(entries: Entries) -> tuple[np.ndarray, ...]:
        return _sample(entries, random, per_quantile, seed)

    *chosen, group = by_range(features, table, masked, cut, sample)
    column = pa.DictionaryArray.from_arrays(pa.array(group, pa.int32()), GROUPS).cast(pa.string())
    return example_table(features, tokens, Chosen(*chosen), window).append_column("group", column)


def _sample(entries: Entries, random: int, per_quantile: int, seed: int) -> tuple[np.ndarray, ...]:
    """The columns of `Chosen` and the group of each example, by its number in GROUPS."""
    ids, stratum = entries.features[entries.place], entries.place * len(GROUPS)
    drawn = entries.features, entries.place, entries.token
    draws = [
        (stratum, ordering.draw(seed, 0, *drawn), random),
        (stratum + 1 + _quantile(entries), ordering.draw(seed, 1, *drawn), per_quantile),
    ]
    picked, groups = [], []
    for stratum, lot, limit in draws:
        order = ordering.order(stratum, lot)
        order = order[ordering.number(stratum[order]) < limit]
        picked.append(order)
        groups.append(stratum[order] % len(GROUPS))
    which, group = np.concatenate(picked), np.concatenate(groups)
    order = np.lexsort((entries.token[which], -entries.value[which], group, entries.place[which]))
    which, group = which[order], group[order]
    rank = ordering.number(entries.place[which] * len(GROUPS) + group)
    return ids[which], rank, entries.token[which], entries.value[which], group


def published_labels(features: Features, masked: np.ndarray) -> np.ndarray:
    """(d_sae,) int32: what the published pages called each feature, -1 where they did not show it.

    masked: (token,) bool. The pages sorted 64 features by the sum of their masked activations but
    not their ids, so that a label is the start of the batch plus the feature's place in it; silent
    features and batches with a sum below 0.01 were dropped (originals, F3 and B0.1). A wrong
    number, kept so that the pages can be found again; results of this project go by feature id.
    """
    hit = masked[features.indices]
    sums = np.bincount(features.owners()[hit], features.data[hit], minlength=features.d_sae)
    batch = np.arange(features.d_sae) // LABEL_BATCH
    order = np.lexsort((np.arange(features.d_sae), -sums, batch))
    labels = np.empty(features.d_sae, dtype=np.int32)
    labels[order] = np.arange(features.d_sae)  # the batches stand in order, so places are labels
    shown = (sums > 0) & (np.bincount(batch, sums) >= 0.01)[batch]
    return np.where(shown, labels, np.int32(-1))


def by_range(
    features: Features,
    table: pa.Table,
    where: np.ndarray,
    cut: float,
    choose: Callable[[Entries], Sequence[np.ndarray]],
) -> list[np.ndarray]:
    """The columns that `choose` makes of the entries, in the order in which features are shown.

    The first column are feature ids. What is chosen of a feature depends on its own entries alone,
    so that a range of features is read at a time.
    """
    ranges = feature_ranges(features.indptr)
    parts = [choose(_entries(features, table, where, cut, *part)) for part in ranges]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    place = np.empty(features.d_sae, dtype=np.int64)
    place[table["feature"].to_numpy()] = np.arange(table.num_rows)
    order = np.argsort(place[columns[0]], kind="stable")
    return [column[order] for column in columns]


def _entries(
    features: Features, table: pa.Table, where: np.ndarray, cut: float, start: int, stop: int
) -> Entries:
    """The entries at tokens with where (token,), of features start to stop of at least `cut`."""
    ids = table["feature"].to_numpy()[table["density"].to_numpy() >= cut]
    ids = ids[(ids >= start) & (ids < stop)]
    place = np.full(stop - start, -1, dtype=np.int64)
    place[ids - start] = np.arange(len(ids))
    part = features.part(start, stop)
    owners = part.owners()
    keep = where[part.indices] & (place[owners] >= 0)
    token = part.indices[keep].astype(np.int64)
    return Entries(ids, place[owners[keep]], token, part.data[keep])


def _top(entries: Entries, n: int) -> Chosen:
    """The n largest entries of each feature, ties by token index."""
    order = ordering.order(entries.place, ~ordering.height(entries.value))
    rank = ordering.number(entries.place[order])
    order, rank = order[rank < n], rank[rank < n]
    ids = entries.features[entries.place[order]]
    return Chosen(ids, rank, entries.token[order], entries.value[order])


def _quantile(entries: Entries) -> np.ndarray:
    """(entry,) int64: the fifth of its feature's entries that each belongs to, 0 the weakest."""
    order = ordering.order(entries.place, ordering.height(entries.value))
    number = ordering.number(entries.place[order])
    counts = np.bincount(entries.place, minlength=len(entries.features))
    fifth = np.empty(len(order), dtype=np.int64)
    fifth[order] = number * QUANTILES // counts[entries.place[order]]
    return fifth


def away_from_edges(tokens: pa.Table, window: tuple[int, int]) -> np.ndarray:
    """(token,) bool: whether a whole window fits between the first position of the row and its end.

    Originals were not in the published rows and are never chosen.
    """
    row, position = tokens["row"].to_numpy(), tokens["position"].to_numpy()
    length = np.bincount(row)[row]
    original = np.isin(tokens["side"].cast(pa.string()).to_numpy(zero_copy_only=False), [ORIGINAL])
    return (position > window[0]) & (position < length - window[1]) & ~original


def _filled(
    features: Features, entries: Entries, chosen: Chosen, selectable: np.ndarray, n: int
) -> Chosen:
    """The chosen, and for each feature with less than n the first silent tokens, up to n."""
    place = np.full(features.d_sae, -1, dtype=np.int64)
    place[entries.features] = np.arange(len(entries.features))
    own = place[chosen.feature]
    have = np.bincount(own, minlength=len(entries.features))
    short = np.flatnonzero(have < n)
    pool = np.flatnonzero(selectable)[: 2 * n]  # fewer than n of them can be active
    active = np.zeros((len(short), len(pool)), dtype=bool)
    row = np.searchsorted(short, entries.place)
    column = np.searchsorted(pool, entries.token)
    inside = (row < len(short)) & (column < len(pool))
    row, column, token = row[inside], column[inside], entries.token[inside]
    match = (short[row] == entries.place[inside]) & (pool[column] == token)
    active[row[match], column[match]] = True
    number = have[short][:, None] + np.cumsum(~active, axis=1) - 1
    which, at = np.nonzero(~active & (number < n))
    feature = np.concatenate([chosen.feature, entries.features[short[which]]])
    rank = np.concatenate([chosen.rank, number[which, at]])
    token = np.concatenate([chosen.token, pool[at]])
    value = np.concatenate([chosen.value, np.zeros(len(at), np.float32)])
    order = np.lexsort((rank, place[feature]))
    return Chosen(feature[order], rank[order], token[order], value[order])
