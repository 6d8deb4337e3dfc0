"""The texts that are clustered: each by itself, or all edits or samples of an original as one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.base.words import EDITED
from saegrid.codes.sparse import Features
from saegrid.evidence.clusters.clustering import KEY
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes.material import Activations, means_of
from saegrid.evidence.texts import TEXT, Texts, View, pool

TEXT_UNIT, ORIGINAL_UNIT = "text", "original"
UNITS = {
    TEXT_UNIT: "each text by itself",
    ORIGINAL_UNIT: "all edits or samples of an original together",
}
BETWEEN = " ¶ "
"""Mark in the place of special tokens inside a text."""
LETTERS = 240
"""Characters of a text that are shown."""


class Units(NamedTuple):
    """Texts, or originals with all of their texts."""

    view: View
    """Tokens of each unit; `item` holds units."""
    item: np.ndarray
    """(unit,) the first item of each."""
    original: np.ndarray
    """(unit,) the original of each."""
    labels: np.ndarray | None
    """(unit,) number of the label, in `names`; None where no label is asked for."""
    names: Sequence[str]
    texts: Sequence[str]
    """(unit,) the text, cut where it is long."""
    left_out: int
    """Kept items without a captured token."""

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.item)


def units(
    texts: Texts,
    kept: np.ndarray,
    captured: np.ndarray,
    tokens: pa.Table,
    unit: str,
    label: str | None,
) -> Units:
    """The units of a corpus.

    kept: (item,) bool. captured: token indices. Unusable where the label is missing, has one value
    or differs between texts of one unit.
    """
    view = texts.views[EDITED if texts.is_paired else TEXT]
    has = np.zeros(int(max(captured.max(initial=-1), view.token.max(initial=-1))) + 1, bool)
    has[captured] = True
    ours = has[view.token] & kept[view.item]
    item = np.unique(view.item[ours])
    names = item if unit == TEXT_UNIT else texts.cluster[item]
    _, first, number = np.unique(names, return_index=True, return_inverse=True)
    place = np.full(len(kept), -1)
    place[item] = number
    own = View(place[view.item[ours]].astype(np.int32), view.token[ours], np.ones(len(first), bool))
    labels, values = _labels(texts, item, number, label)
    return Units(
        own,
        item[first],
        texts.cluster[item[first]],
        labels,
        values,
        _spelled(texts, item[first], view, tokens),
        int(kept.sum()) - len(item),
    )


def _labels(
    texts: Texts, item: np.ndarray, number: np.ndarray, label: str | None
) -> tuple[np.ndarray | None, list[str]]:
    """(unit,) numbers of labels, and their names; units without one are a label of their own."""
    if label is None:
        return None, []
    column = texts.labels.get(label)
    if column is None or isinstance(column, np.ndarray):
        raise Unusable(
            f"{KEY}.label: {label!r} must be a column of the items that holds texts. Name one "
            "under source.labels of the main corpus, or leave label out."
        )
    own = np.array([str(column[i]) if column[i] is not None else "–" for i in item.tolist()])
    names, code = np.unique(own, return_inverse=True)
    if len(names) < 2:
        raise Unusable(
            f"{KEY}.label: {label!r} has one value, {', '.join(names)!r}, in all {len(item):,} "
            "texts, so that nothing can agree with it. Name another label, or leave it out."
        )
    of = np.full(int(number.max()) + 1, -1)
    of[number] = code
    if (of[number] != code).any():
        raise Unusable(
            f"{KEY}.label: {label!r} differs between texts of one original, which are one unit. "
            "Set unit: text, or name another label."
        )
    return of, names.tolist()


def _spelled(texts: Texts, item: np.ndarray, view: View, tokens: pa.Table) -> list[str]:
    """The text of each item: the whole edited one, or the tokens of an unpaired one."""
    if texts.is_paired:
        return [_cut(str(texts.labels["edited"][i])) for i in item.tolist()]
    wanted = np.isin(view.item, item)
    order = np.lexsort((view.token[wanted], view.item[wanted]))
    owner, token = view.item[wanted][order], view.token[wanted][order]
    spelled = tokens["text"].cast(pa.string()).take(pa.array(token)).to_pylist()
    for at in np.flatnonzero((np.diff(token) > 1) & (np.diff(owner) == 0)) + 1:
        spelled[at] = BETWEEN + spelled[at].lstrip()
    ends = np.searchsorted(owner, item, side="right")
    starts = np.searchsorted(owner, item)
    return [_cut("".join(spelled[a:b]).strip()) for a, b in zip(starts, ends, strict=True)]


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else text[: LETTERS - 1].rstrip() + "…"


def codes_of(of: Units, features: Features) -> sparse.csr_matrix:
    """(unit, feature) float64 largest activation of each feature on the tokens of each unit."""
    return pool(features, of.view, of.n).astype(np.float64).tocsr()


def activations_of(of: Units, activations: Sequence[Activations]) -> np.ndarray:
    """(unit, d_model) float64 means of the activations over the tokens of each unit."""
    total, count = 0.0, np.zeros(of.n)
    for part in activations:
        mean, n = means_of(part, of.view, np.arange(of.n))
        total, count = total + mean * n[:, None], count + n
    return np.asarray(total) / np.maximum(count, 1)[:, None]


def density_of(of: Units, features: Features) -> np.ndarray:
    """(feature,) share of the tokens of all units on which each feature fires."""
    size = int(max(of.view.token.max(initial=-1), features.indices.max(initial=-1))) + 1
    inside = np.zeros(size, bool)
    inside[of.view.token] = True
    firing = np.concatenate([[0], np.cumsum(inside[features.indices])])
    return np.diff(firing[features.indptr]) / max(int(inside.sum()), 1)
