"""Kin of features: those that point the same way, fire on the same tokens, or in the same texts.

Kin are looked for in a feature's own cell, in the other SAEs at its site, and in the SAE of the
same name at the same position of the next lower and the next higher layer of the grid.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from saegrid.base.words import EDITED
from saegrid.codes.sparse import Features
from saegrid.evidence.texts import TEXT, Texts, pool
from saegrid.meaning import CELL, DECODER, TEXTS, TOKENS
from saegrid.meaning.commonest import commonest
from saegrid.meaning.nearest import (
    Directions,
    Nearest,
    by_direction,
    by_firings,
    jaccard,
    n_both,
    phi,
)

_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("feature", pa.int32()),
        ("relation", _NAME),
        ("place", _NAME),
        ("cell", _NAME),
        ("other", pa.int32()),
        ("value", pa.float32()),
        ("n_both", pa.int32()),
        ("rank", pa.int32()),
        ("words", _NAME),
    ]
)
"""Columns of kin.parquet; n_both: tokens, of `texts` texts, on which both fire. rank counts from 0;
ties go by feature id. words: the commonest of the top tokens of the other, null where it has
none."""


class Member(NamedTuple):
    """A cell as kin are looked for in it."""

    cell: str
    shown: np.ndarray
    """(shown,) ids of the features with examples, ascending."""
    tokens: sparse.csr_matrix
    """(shown, token) ones where a feature fires on a captured token."""
    texts: sparse.csr_matrix
    """(shown, item) ones where a feature fires on a masked token of a kept item."""
    captured: np.ndarray
    """(captured token,) token indices."""
    words: Sequence[str | None]
    """Commonest words of the top tokens of each feature shown."""


class Rules(NamedTuple):
    """Conditions of being kin."""

    k: int = 5
    """Kin of a feature by each relation in each cell."""
    least: int = 3
    """Tokens, or texts, on which both must fire to be kin by that."""
    silent: bool = False
    """Features without examples are kin by direction too."""


def member(cell: str, features: Features, top: pa.Table, texts: Texts, kept: np.ndarray) -> Member:
    """A cell. top: its top_tokens.parquet; texts: those of the corpus; kept: (item,) bool."""
    top = top.filter(pc.greater(top["activation"], 0))
    shown = np.unique(top["feature"].to_numpy()).astype(np.int64)
    some = features.select(shown)
    size = int(features.token.max(initial=-1)) + 1
    ones = np.ones(len(some.indices), np.int32)
    firings = sparse.csr_matrix((ones, some.indices, some.indptr), shape=(len(shown), size))
    pooled = pool(some, texts.views[EDITED if texts.is_paired else TEXT], texts.n).T.tocsr()
    pooled.data = np.ones(len(pooled.data), np.int32)
    words = commonest(top, shown)
    return Member(cell, shown, firings, pooled[:, np.flatnonzero(kept)], features.token, words)


Read = Callable[[np.ndarray], np.ndarray]
"""Function of feature ids to their decoder rows (n, d_model) of norm one."""


class Other(NamedTuple):
    """A cell in which kin are looked for."""

    place: str
    member: Member
    read: Read | None
    """None where its decoder writes another place, so that directions do not compare."""
    d_sae: int


def kin(own: Member, directions: Directions, other: Other, rules: Rules) -> pa.Table:
    """Kin of all features shown of a cell in one other cell, or in their own, as in `SCHEMA`.

    Kin have examples themselves, but by direction where silent ones count too. A relation whose
    value is not above zero is none; a direction must be nearer than `nearest.chance`.

    directions: those of the features shown.
    """
    its, same = other.member, other.place == CELL
    ours, theirs, n = _shared(own, its)
    nearest: dict[str, Nearest] = {}
    ids = its.shown
    if other.read is not None:
        ids = np.arange(other.d_sae) if rules.silent else its.shown
        near = by_direction(directions, own.shown, other.read, ids, rules.k, same)
        nearest[DECODER] = near._replace(column=ids[near.column])
    how = (rules.k, rules.least, same)
    near = by_firings(ours, theirs, _of(phi, n), *how)
    nearest[TOKENS] = near._replace(column=its.shown[near.column])
    near = by_firings(own.texts, its.texts, jaccard, *how)
    nearest[TEXTS] = near._replace(column=its.shown[near.column])
    if DECODER in nearest:
        nearest[DECODER] = _with_firings(nearest[DECODER], ours, theirs, its.shown)
    return _table(own, other, nearest)


def in_order(tables: Sequence[pa.Table]) -> pa.Table:
    """kin.parquet: kin in several cells, by feature, then in the order of the tables."""
    whole = pa.concat_tables(tables or [SCHEMA.empty_table()]).unify_dictionaries()
    order = np.argsort(whole["feature"].to_numpy(), kind="stable")
    return whole.take(pa.array(order)).combine_chunks()


def _of(measure: Callable[..., np.ndarray], n: int) -> Callable[..., np.ndarray]:
    """The measure with the number of things on which features can fire."""
    return lambda both, one, other, _: measure(both, one, other, n)


def _shared(own: Member, its: Member) -> tuple[sparse.csr_matrix, sparse.csr_matrix, int]:
    """The firings of both cells on the tokens that were captured in both, and their number."""
    if np.array_equal(own.captured, its.captured):
        return own.tokens, its.tokens, len(own.captured)
    both = np.intersect1d(own.captured, its.captured)
    return own.tokens[:, both], its.tokens[:, both], len(both)


def _with_firings(
    near: Nearest, ours: sparse.csr_matrix, theirs: sparse.csr_matrix, shown: np.ndarray
) -> Nearest:
    """Pairs with the tokens on which both fire; none of a feature without examples."""
    place = np.searchsorted(shown, near.column)
    known = np.flatnonzero(np.append(shown, -1)[place] == near.column)
    counts = np.zeros(len(near.row), np.int64)
    counts[known] = n_both(ours, theirs, near.row[known], place[known])
    return near._replace(n_both=counts)


def _table(own: Member, other: Other, nearest: dict[str, Nearest]) -> pa.Table:
    """The rows of one other cell, by feature, relation and rank."""
    relation = np.repeat(np.arange(len(nearest)), [len(near.row) for near in nearest.values()])
    near, rank = Nearest.joined(list(nearest.values())), _ranks(nearest)
    order = np.lexsort((rank, relation, near.row))
    column = near.column[order]
    shown = np.append(other.member.shown, -1)
    place = np.searchsorted(other.member.shown, column)
    words = np.where(shown[place] == column, place, len(other.member.shown))
    names = pa.array([*other.member.words, None], pa.string()).take(pa.array(words))

    def repeated(name: str) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(order), np.int32)), [name])

    columns = [
        pa.array(own.shown[near.row[order]], pa.int32()),
        pa.DictionaryArray.from_arrays(pa.array(relation[order], pa.int32()), list(nearest)),
        repeated(other.place),
        repeated(other.member.cell),
        pa.array(column, pa.int32()),
        pa.array(near.value[order], pa.float32()),
        pa.array(near.n_both[order], pa.int32()),
        pa.array(rank[order], pa.int32()),
        names.dictionary_encode(),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _ranks(nearest: dict[str, Nearest]) -> np.ndarray:
    return np.concatenate([near.rank() for near in nearest.values()])
