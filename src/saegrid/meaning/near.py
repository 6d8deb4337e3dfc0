"""Near words: the rows of a feature whose words lie around one of them in a word space.

Two words are near where their cosine is above that of all but `FAR` of the pairs of words of a
corpus. The theme of a feature is one of its words with those near to it: the one that holds most
rows, of those that hold enough. Coherence says that words are nearer to one another than chance
has them; near words say how many of the rows these are, and whether the theme stands without its
commonest word.
"""

from typing import NamedTuple

import numpy as np

from saegrid.meaning.families import Families, is_of
from saegrid.meaning.occurrences import SHOWN
from saegrid.meaning.rows import Rows

FAR = 0.97
"""Share of the pairs of words that are not near."""
REST = 0.5
"""Share of the rows without the commonest family that a theme must have."""
OUTSIDE = 0.25
"""Share of all rows that a theme must have without the commonest family: three rows of affairs
beside thirteen of mistresses are no theme."""
PAIRS = 400_000
"""Pairs that are drawn to find the cosine above which two words are near."""
BLOCK = 512
"""Features that are looked at together."""
EVEN = 1e-6
"""Cosine by which values count as equal: rounding."""


class Near(NamedTuple):
    """The themes of features."""

    n: np.ndarray
    """(feature,) int64 rows of the theme."""
    families: np.ndarray
    """(feature,) int64 families of words half of which are of the theme."""
    rest: np.ndarray
    """(feature,) float64 share of the theme among the rows without the commonest family; 0 where
    no row is left."""
    outside: np.ndarray
    """(feature,) int64 rows of the theme without the commonest family."""

    def themes(self, n_shown: np.ndarray, share: float, families: int) -> np.ndarray:
        """(feature,) bool: enough rows and families, and without the commonest family half of the
        rows that are left and a quarter of all."""
        enough = (self.n >= share * n_shown - 1e-9) & (self.families >= families)
        enough &= self.outside >= OUTSIDE * n_shown - 1e-9
        return enough & (self.rest >= REST - 1e-9)


def threshold(vectors: np.ndarray, seed: int) -> float:
    """The cosine above which two words are near: quantile `FAR` over pairs of different types that
    the space has; infinite where it has none. vectors: see `coherence`."""
    known = vectors[np.einsum("ij,ij->i", vectors, vectors) > 0]
    if len(known) < 2:
        return np.inf
    rng = np.random.default_rng([seed, len(known)])
    one = rng.integers(0, len(known), PAIRS)
    other = (one + rng.integers(1, len(known), PAIRS)) % len(known)
    return float(np.quantile(np.einsum("ij,ij->i", known[one], known[other]), FAR)) - EVEN


def near(
    rows: Rows,
    family: Families,
    vectors: np.ndarray,
    asked: np.ndarray,
    least: float,
    share: float,
    families: int,
) -> Near:
    """The themes of the features that are asked; those of others are empty.

    asked: (feature,) bool. least: see `threshold`. Of themes with enough rows and families
    (`Near.themes`) that with most rows is meant, else of all; of equal ones that with more
    families, then with more of the rest, then the first word's.
    """
    none = np.zeros(rows.n, np.int64)
    out = Near(none, none.copy(), np.zeros(rows.n), none.copy())
    chosen = np.flatnonzero(asked & (np.diff(rows.counts.indptr) > 0))
    for start in range(0, len(chosen), BLOCK):
        part = chosen[start : start + BLOCK]
        some = _themes(_padded(rows, family, part), vectors, least)
        enough = some.themes(rows.n_shown[part][:, None], share, families)
        order = np.lexsort((-some.rest, -some.families, -some.n, ~enough), axis=1)[:, 0]
        for whole, each in zip(out, some, strict=True):
            whole[part] = each[np.arange(len(part)), order]
    return out


class _Words(NamedTuple):
    """The words of features, (feature, place) each."""

    type: np.ndarray
    counts: np.ndarray
    """int64 rows; 0 where a feature has no more words."""
    family: np.ndarray
    of_piece: np.ndarray


def _padded(rows: Rows, family: Families, part: np.ndarray) -> _Words:
    """The words of some features."""
    first, sizes = rows.counts.indptr[part], np.diff(rows.counts.indptr)[part]
    place = np.arange(min(SHOWN, int(sizes.max())))[None, :]
    entry = np.where(place < sizes[:, None], first[:, None] + place, first[:, None])
    counts = np.where(place < sizes[:, None], rows.counts.data[entry], 0)
    number, of_piece = family.number[entry], family.of_piece[entry]
    return _Words(rows.counts.indices[entry], counts, number, of_piece)


def _themes(of: _Words, vectors: np.ndarray, least: float) -> Near:
    """The theme around each word of each feature: (feature, place) each."""
    own, counts = vectors[of.type], of.counts
    near_ = np.einsum("bid,bjd->bij", own, own) >= least
    known = (counts > 0) & (np.einsum("bid,bid->bi", own, own) > 0)
    near_ |= np.eye(of.type.shape[1], dtype=bool)[None]
    near_ &= known[:, :, None] & known[:, None, :]
    same = (of.family[:, :, None] == of.family[:, None, :]) & (counts > 0)[:, :, None]
    same &= (counts > 0)[:, None, :]
    # Of each word's family, how many words there are and how many of them are of the theme.
    size = same.sum(axis=2)
    inside = near_.astype(np.int64) @ same.astype(np.int64)
    some = is_of(inside, size[:, None, :], of.of_piece[:, None, :]) & (size > 0)[:, None, :]
    each = some / np.maximum(size, 1)[:, None, :]
    near_ &= some | ~of.of_piece[:, None, :]
    n = (near_ * counts[:, None, :]).sum(axis=2)
    commonest = (same * counts[:, None, :]).sum(axis=2).argmax(axis=1)
    kept = counts * ~same[np.arange(len(counts)), commonest]
    left = kept.sum(axis=1)
    outside = (near_ * kept[:, None, :]).sum(axis=2)
    rest = outside / np.maximum(left, 1)[:, None]
    return Near(n, np.rint(each.sum(axis=2)).astype(np.int64), rest, outside)
