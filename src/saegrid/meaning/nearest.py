"""The nearest rows of one matrix to each row of another, exact, in tiles.

Values are rounded to float32 and ordered by it, ties by id, so that a table that is read again has
the order that it says. The same bytes for any size of tiles.
"""

from collections.abc import Callable
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.saes.sae import blocks

TILE = 2048
"""Rows of either side in one product of directions."""
ENTRIES = 1 << 22
"""Entries of a product of firings that are held at a time, at most."""
SEGMENTS = 32
"""Parts of a row of whose largest values the smallest kept one is bounded."""
PAIRS = 4096
"""Pairs of directions whose cosines are computed in float64 in one go."""
_UNIT = 2.0**-24  # largest relative error of one float32 rounding


class Nearest(NamedTuple):
    """The nearest of each row, by row, the nearest first; at most k of a row."""

    row: np.ndarray
    """(pair,) int64, ascending."""
    column: np.ndarray
    """(pair,) int64."""
    value: np.ndarray
    """(pair,) float32."""
    n_both: np.ndarray
    """(pair,) int64: firings of both; zeros where directions are compared."""

    @classmethod
    def nothing(cls) -> "Nearest":
        """No pairs."""
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros(0, np.float32), none)

    @classmethod
    def joined(cls, parts: "list[Nearest]") -> "Nearest":
        """Pairs of several parts, one after the other."""
        return cls(*map(np.concatenate, zip(cls.nothing(), *parts, strict=True)))

    def rank(self) -> np.ndarray:
        """(pair,) int64: pairs of the same row before each; rows stand together."""
        return np.arange(len(self.row)) - np.searchsorted(self.row, self.row)

    def first(self, k: int) -> "Nearest":
        """The k nearest of each row, from pairs in any order: larger values, then columns."""
        order = np.lexsort((self.column, -self.value, self.row))
        ordered = Nearest(*(part[order] for part in self))
        kept = ordered.rank() < k
        return Nearest(*(part[kept] for part in ordered))


# --- firings --------------------------------------------------------------------------------------


def phi(both: np.ndarray, one: np.ndarray, other: np.ndarray, n: int) -> np.ndarray:
    """The phi coefficient of two features that fire or not on n things, float64.

    phi = (n n_both - n_one n_other) / sqrt(n_one (n - n_one) n_other (n - n_other)),

    the correlation of their firings; 0 where one of them always or never fires. Arguments are
    numbers of things on which both, the one and the other fire.
    """
    spread = spread_of(one, n) * spread_of(other, n)
    return (n * both - one * other) / np.where(spread > 0, spread, np.inf)


def spread_of(count: np.ndarray, n: int) -> np.ndarray:
    """sqrt(count (n - count)), float64."""
    count = np.asarray(count, np.float64)
    return np.sqrt(count * (n - count))


def jaccard(both: np.ndarray, one: np.ndarray, other: np.ndarray, n: int) -> np.ndarray:
    """The Jaccard index n_both / (n_one + n_other - n_both): of the things on which one of them
    fires, the share on which both do, float64. Arguments as of `phi`."""
    return both / np.maximum(one + other - both, 1.0)


Measure = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def by_firings(
    own: sparse.csr_matrix,
    other: sparse.csr_matrix,
    measure: Measure,
    k: int,
    least: int,
    same: bool = False,
    entries: int | None = None,
) -> Nearest:
    """The k rows of `other` that fire most alike with each row of `own`, of values above zero.

    own, other: (feature, thing) ones where a feature fires. Only pairs that fire together on at
    least `least` things count: two features that fire once, on the same thing, are no kin by that.
    same: both are one matrix, and no row is its own kin. entries: of the product at a time.
    """
    n = own.shape[1]
    columns = other.T.tocsr()
    n_own, n_other = (np.diff(m.indptr).astype(np.float64) for m in (own, other))
    able = np.flatnonzero(n_own >= least)  # the others cannot fire together often enough
    parts = []
    for a, b in spans_of(own[able], columns, other.shape[0], entries or ENTRIES):
        rows = able[a:b]
        product = own[rows] @ columns
        row = np.repeat(np.arange(b - a), np.diff(product.indptr))
        kept = product.data >= least
        if same:
            kept &= product.indices != rows[row]
        row, column, both = row[kept], product.indices[kept], product.data[kept]
        value = measure(both.astype(np.float64), n_own[rows[row]], n_other[column], n)
        value = value.astype(np.float32)
        place = np.flatnonzero((value >= _bounds(row, value, b - a, k)[row]) & (value > 0))
        pairs = (rows[row[place]], column[place], value[place], both[place])
        whole = [part.astype(np.int64) for part in pairs]
        parts.append(Nearest(whole[0], whole[1], pairs[2], whole[3]).first(k))
    return Nearest.joined(parts)


def n_both(
    own: sparse.csr_matrix, other: sparse.csr_matrix, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """(pair,) int64: things on which a row of `own` and a row of `other` both fire."""
    counts = [np.zeros(0, np.int64)]
    for a, b in blocks(len(row), PAIRS):
        both = own[row[a:b]].multiply(other[column[a:b]])
        counts.append(np.asarray(both.sum(axis=1)).ravel().astype(np.int64))
    return np.concatenate(counts)


def spans_of(
    own: sparse.csr_matrix, columns: sparse.csr_matrix, width: int, entries: int
) -> list[tuple[int, int]]:
    """Ranges of rows whose products have at most so many entries, or of one row."""
    most = np.minimum(own @ np.diff(columns.indptr).astype(np.int64), width)
    total = np.concatenate([[0], np.cumsum(most)])
    spans, start = [], 0
    while start < own.shape[0]:
        stop = int(np.searchsorted(total, total[start] + entries, side="right")) - 1
        spans.append((start, max(stop, start + 1)))
        start = spans[-1][1]
    return spans


def _bounds(row: np.ndarray, value: np.ndarray, n: int, k: int) -> np.ndarray:
    """(row,) float32: a value that the k largest of each row do not fall below.

    A row is cut into parts; the k-th largest of the largest values of its parts is such a one.
    """
    bounds = np.full(n, -np.inf, np.float32)
    parts = max(SEGMENTS, 4 * k)
    counts = np.bincount(row, minlength=n)
    starts = np.cumsum(counts) - counts
    long = np.flatnonzero(counts >= 2 * parts)
    if not len(long):
        return bounds
    edges = starts[long, None] + counts[long, None] * np.arange(parts + 1) // parts
    # Each part has an entry; what lies between two rows falls to parts that are left out.
    largest = np.maximum.reduceat(value, np.minimum(edges.ravel(), len(value) - 1))
    largest = largest.reshape(len(long), parts + 1)[:, :parts]
    bounds[long] = np.partition(largest, -k, axis=1)[:, -k]
    return bounds


# --- directions -----------------------------------------------------------------------------------


class Directions(NamedTuple):
    """Directions of features as float32 rows, with their norms."""

    rows: np.ndarray
    """(feature, d_model) float32, of norm one but for their rounding; zeros where there is none."""
    norms: np.ndarray
    """(feature,) float64 norms of these rows."""

    @classmethod
    def of(cls, read: Callable[[np.ndarray], np.ndarray], features: np.ndarray) -> "Directions":
        """The directions of some features. read: features to rows of norm one (n, d_model)."""
        norms = np.zeros(len(features))
        rows = np.zeros((len(features), read(features[:1]).shape[1]), np.float32)
        for a, b in blocks(len(features), TILE):
            rows[a:b] = read(features[a:b])
            norms[a:b] = np.sqrt(np.square(rows[a:b], dtype=np.float64).sum(axis=1))
        return cls(rows, norms)


def chance(n: int, d_model: int) -> float:
    """sqrt(2 ln n / d_model): about the largest cosine of a direction with n random ones."""
    return sqrt(2 * log(max(n, 1)) / d_model)


def by_direction(
    own: Directions,
    own_ids: np.ndarray,
    read: Callable[[np.ndarray], np.ndarray],
    ids: np.ndarray,
    k: int,
    same: bool = False,
    tile: int | None = None,
) -> Nearest:
    """The k features of another SAE whose directions have the largest cosines with each of ours.

    cosine(i, j) = sum over d_model of u_i v_j / (|u_i| |v_j|), float64, u and v rounded to float32

    Only cosines above `chance` count. Rows of the result are places in `own`, columns places in
    `ids`.

    Float32 products of tiles only screen: every pair that may be among the k nearest within the
    bound on their error is computed again, so that how they are tiled decides nothing.

    read, ids: the other's features to rows of norm one, and which of them count, ascending.
    same: both are one SAE, and no feature is its own kin. own_ids: (feature,) ids of ours.
    """
    tile = tile or TILE
    width = own.rows.shape[1]
    least = np.float32(chance(len(ids), width))
    # Sums and products of the screen, and the rounding of the exact value.
    slack = np.float32((width + 16) * _UNIT)
    spans = blocks(len(own.rows), tile)
    best = [Nearest.nothing() for _ in spans]
    for first, last in blocks(len(ids), tile):
        other = Directions.of(read, ids[first:last])
        for place, (a, b) in enumerate(spans):
            ours = Directions(own.rows[a:b], own.norms[a:b])
            score = ours.rows @ other.rows.T
            if same:
                where = np.searchsorted(ids[first:last], own_ids[a:b])
                inside = np.flatnonzero(where < last - first)
                inside = inside[ids[first:last][where[inside]] == own_ids[a:b][inside]]
                score[inside, where[inside]] = -np.inf
            bound = np.maximum(_kth(best[place], b - a, k), least) - slack
            if not first and last > k:  # spares looking at all pairs of the first tile
                top = np.partition(score, -k, axis=1)[:, -k]
                bound = np.maximum(bound, top - 2 * slack)
            near = np.flatnonzero(score >= bound[:, None])
            row, column = np.divmod(near, last - first)
            value = _cosines(ours, other, row, column)
            kept = value > least
            row, column, value = row[kept], column[kept] + first, value[kept]
            more = Nearest(row, column, value, np.zeros(len(row), np.int64))
            best[place] = Nearest.joined([best[place], more]).first(k)
    moved = [one._replace(row=one.row + a) for one, (a, _) in zip(best, spans, strict=True)]
    return Nearest.joined(moved)


def _kth(nearest: Nearest, n: int, k: int) -> np.ndarray:
    """(row,) float32: the k-th value of each row, -inf where it has less than k."""
    values = np.full(n, -np.inf, np.float32)
    last = nearest.rank() == k - 1
    values[nearest.row[last]] = nearest.value[last]
    return values


def _cosines(
    ours: Directions, other: Directions, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """(pair,) float32: cosines, float64 sums in a fixed order that are rounded once."""
    value = np.empty(len(row), np.float32)
    for a, b in blocks(len(row), PAIRS):
        u = ours.rows[row[a:b]].astype(np.float64)
        u *= other.rows[column[a:b]]
        norms = ours.norms[row[a:b]] * other.norms[column[a:b]]
        value[a:b] = np.clip(u.sum(axis=1) / np.where(norms > 0, norms, np.inf), -1, 1)
    return value
