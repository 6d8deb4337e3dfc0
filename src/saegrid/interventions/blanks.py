"""Headlines cut off before the word that was edited, for a model to fill in what comes next.

A blank is an original with the tokens before the first token of an edit; edits of one original at
one place share it. Of the edit and of what it replaced only the first tokens count: those that the
corpus shows behind the blank.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED, ORIGINAL
from saegrid.capture.surprisal import spans_of
from saegrid.evidence import parts
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.texts import Texts
from saegrid.models.tiles import Rows, rows_of
from saegrid.text.split import mix

PSEUDO = 5
"""Edits of the mean grade that are added to those of each token."""


class Firsts(NamedTuple):
    """The first tokens of the edits of a corpus. Items that cannot be used have -1 everywhere."""

    rows: Rows
    at: np.ndarray
    """(item,) int64: index of the first token of the edit."""
    edit: np.ndarray
    """(item,) int64: its id."""
    replaced: np.ndarray
    """(item,) int64: id of the first token of what was replaced."""

    def context(self, item: int) -> np.ndarray:
        """The ids before the edit of an item."""
        at = self.at[item]
        return self.rows.ids[self.rows.starts[self.rows.row_of(at)] : at]


class Blanks(NamedTuple):
    """Blanks with the edits that stand behind them."""

    contexts: list[np.ndarray]
    """(blank,) the ids before each."""
    item: np.ndarray
    """(edit,) int64 items, ascending."""
    blank: np.ndarray
    """(edit,) int64: blank of each edit."""
    original: np.ndarray
    """(edit,) int64: number of its original among those drawn, from 0."""
    edit: np.ndarray
    """(edit,) int64: id of the first token."""
    replaced: np.ndarray
    """(edit,) int64: id of the first token of what was replaced."""
    grade: np.ndarray
    """(edit,) float64, NaN where there is none."""

    @property
    def n_originals(self) -> int:
        """Number of originals."""
        return int(self.original.max(initial=-1)) + 1


class Grades(NamedTuple):
    """Mean grades of the edits that begin with a token."""

    token: np.ndarray
    """(token,) int64 ids, ascending: those that an edit begins with."""
    grade: np.ndarray
    """(token,) float64, shrunk towards the mean of all."""


def firsts(texts: Texts, tokens: pa.Table, spans: pa.Table) -> Firsts:
    """The first tokens of the edits of a corpus.

    An item can be used where both sides have a token, the tokens before these are the same, and one
    of them at least is not special: else no feature could be changed.
    """
    rows = rows_of(tokens)
    of = spans_of(tokens, spans, rows)
    sides = np.array(of.side, object)
    first = {}
    for side in (EDITED, ORIGINAL):
        first[side] = np.full(texts.n, -1, np.int64)
        place = np.flatnonzero((sides == side) & (np.diff(of.starts) > 0))
        first[side][of.item[place]] = of.tokens[of.starts[place]]
    special = np.asarray(tokens["special"].to_numpy(zero_copy_only=False), bool)
    plain = np.concatenate([[0], np.cumsum(~special)])
    usable = (first[EDITED] >= 0) & (first[ORIGINAL] >= 0)
    for item in np.flatnonzero(usable):
        before = [_before(rows, first[side][item]) for side in (EDITED, ORIGINAL)]
        start, stop = before[0]
        same = np.array_equal(rows.ids[start:stop], rows.ids[slice(*before[1])])
        usable[item] = same and plain[stop] > plain[start]
    at = np.where(usable, first[EDITED], -1)
    ids = [np.where(usable, rows.ids[first[side]], -1) for side in (EDITED, ORIGINAL)]
    return Firsts(rows, at, *ids)


def _before(rows: Rows, token: int) -> tuple[int, int]:
    return int(rows.starts[rows.row_of(token)]), int(token)


def grades_of(texts: Texts, label: str | None) -> np.ndarray:
    """(item,) float64 the label where it holds numbers, else NaN."""
    values = texts.labels.get(label) if label else None
    return values if isinstance(values, np.ndarray) else np.full(texts.n, np.nan)


def blanks(
    texts: Texts,
    first: Firsts,
    part: Mapping[str, Any],
    grade: np.ndarray,
    n_originals: int,
    seed: int,
) -> Blanks:
    """The blanks of some originals of a part, drawn by seed; Unusable where the part has none."""
    chosen = parts.chosen(texts, part) & (first.at >= 0)
    originals = np.unique(texts.cluster[chosen])
    if not len(originals):
        raise Unusable(
            "analyses.filling.part: no original of it has an edit behind at least one token. Name "
            "another part."
        )
    key = mix(originals.astype(np.uint64) + (np.uint64(seed) << np.uint64(32)))
    drawn = np.sort(originals[np.argsort(key, kind="stable")[:n_originals]])
    item = np.flatnonzero(chosen & np.isin(texts.cluster, drawn))
    numbers: dict[tuple[int, bytes], int] = {}
    contexts, blank = [], []
    for one in item:
        context = first.context(one)
        key_of = (int(texts.cluster[one]), context.tobytes())
        if key_of not in numbers:
            numbers[key_of] = len(contexts)
            contexts.append(context)
        blank.append(numbers[key_of])
    return Blanks(
        contexts,
        item,
        np.array(blank, np.int64),
        np.searchsorted(drawn, texts.cluster[item]),
        first.edit[item],
        first.replaced[item],
        grade[item],
    )


def token_grades(edit: np.ndarray, grade: np.ndarray, pseudo: int = PSEUDO) -> Grades:
    """The grades of tokens: (sum of their edits' + pseudo x mean of all) / (number + pseudo).

    edit: (edit,) ids of first tokens; grade: (edit,), NaN where there is none.
    """
    kept = ~np.isnan(grade)
    token, number = np.unique(edit[kept], return_inverse=True)
    mean = grade[kept].mean() if kept.any() else np.nan
    total = np.bincount(number, grade[kept], len(token))
    return Grades(
        token, (total + pseudo * mean) / (np.bincount(number, minlength=len(token)) + pseudo)
    )
