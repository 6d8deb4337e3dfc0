"""The interface of contrasts: two sides of texts, or a score of each text."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import ConfigError
from saegrid.base.registry import pick
from saegrid.evidence.classical import average_ranks
from saegrid.evidence.exchange import BETWEEN, FLIPS, WITHIN
from saegrid.evidence.texts import Texts

CLASSES, SCORES, PAIRS = "classes", "scores", "pairs"
LEAST = 10
"""Texts that a class must have, and pairs or scored texts a contrast."""


class Unusable(ConfigError):
    """An error of a contrast that the texts cannot answer; one sentence with the key and a mend."""


class Design(NamedTuple):
    """The texts that a contrast compares, and what may be exchanged."""

    item: np.ndarray
    """(text,) int64 items, ascending."""
    cluster: np.ndarray
    """(text,) cluster of each."""
    kind: str
    """classes: a against b, all others moving along; scores: a number each; pairs: two views."""
    scheme: str
    """Scheme of exchange, see `exchange.SCHEMES`."""
    score: np.ndarray
    """(text,) float64: 1, -1 and 0 for classes a, b and neither; a score; 1 for pairs."""
    view: str
    """View of side a, or of all texts."""
    other: str = ""
    """View of side b of pairs."""
    control: bool = False
    """True where side b is the corpus of the control, item by item."""
    left_out: Mapping[str, int] = {}
    """Texts that were left out by reason."""
    names: tuple[str, ...] = ()
    """Names of both sides where the texts have them, as of a label's classes."""

    @property
    def n_a(self) -> int:
        """Texts of side a; of scores and pairs all."""
        return int((self.score == 1).sum()) if self.kind == CLASSES else len(self.item)

    @property
    def n_b(self) -> int:
        """Texts of side b; of scores and pairs all."""
        return int((self.score == -1).sum()) if self.kind == CLASSES else len(self.item)


class Contrast(NamedTuple):
    """A comparison, in words and as a function that finds its texts.

    Entries of the plan (label, high, low and others) may stand in braces in the words; in title and
    question also {a} and {b}, the names of both sides.
    """

    title: str
    question: str
    """A question in plain words that a feature answers with yes."""
    a: str
    b: str
    """Names of both sides; of scores: what high and low mean."""
    design: Callable[[Texts, np.ndarray, Mapping[str, Any]], Design]
    """Function of the texts, (item,) bool of those that may be used, and the plan; Unusable where
    these cannot answer it."""
    paired: bool = False
    """Needs texts that are edits of originals."""
    labelled: bool = False
    """Needs a label."""
    controlled: bool = False
    """Needs the corpus of the control."""


def read(name: str) -> tuple[Contrast, str]:
    """The contrast of a name such as `k2` or `label:clickbait`, and the column after the colon."""
    from saegrid.evidence.contrasts import CONTRASTS

    key, _, column = name.partition(":")
    return pick(CONTRASTS, key, "Contrast"), column


def seen(texts: Texts, chosen: np.ndarray) -> np.ndarray:
    """(item,) bool: the chosen items whose text has a row; no feature can fire on others."""
    return chosen & texts.views[main_view(texts)].present


def label_of(texts: Texts, column: str) -> Any:
    """A label column; Unusable where the items have none such."""
    if column not in texts.labels:
        known = ", ".join(sorted(texts.labels))
        raise Unusable(
            f"analyses.tests.label: the items have no column {column!r}; they have {known}. "
            "Name the column under source.labels of the main corpus."
        )
    return texts.labels[column]


def numbers_of(texts: Texts, chosen: np.ndarray, column: str) -> np.ndarray:
    """(item,) float64 a label of numbers, NaN where there is none; Unusable where all are."""
    values = label_of(texts, column)
    if not isinstance(values, np.ndarray):
        raise Unusable(
            f"analyses.tests.label: {column!r} holds texts, where numbers are needed. Read it as "
            f"a number (source.labels: {{{column}: number}}), or ask for `label` instead."
        )
    missing = int(np.isnan(values[chosen]).sum())
    if not chosen.any():
        raise Unusable(
            "analyses.tests: there are no texts to compare. Name splits or corpora that have some."
        )
    if missing == int(chosen.sum()):
        raise Unusable(
            f"analyses.tests.label: {column!r} is missing in all of {missing:,} texts. Name a "
            "column that has numbers, or leave out the contrasts that need grades."
        )
    return values


def scores_of(name: str, item: np.ndarray, score: np.ndarray, least: int = LEAST) -> np.ndarray:
    """(text,) ranks of the scores, centred; Unusable where they are few or all equal."""
    if len(item) < least:
        raise Unusable(
            f"analyses.tests.contrasts: {name} has {len(item)} texts with a score; at least "
            f"{least} are needed. Leave {name} out, or name more texts."
        )
    if not np.ptp(score) > 0:
        raise Unusable(
            f"analyses.tests.contrasts: {name} has the same score, {score[0]:g}, in all "
            f"{len(item):,} texts: there is nothing to tell apart. Leave {name} out."
        )
    return (average_ranks(score) - (len(score) + 1) / 2) / len(score)


def classes_of(
    name: str, n_a: int, n_b: int, words_a: str, words_b: str, mend: str, least: int = LEAST
) -> None:
    """Unusable where a class has too few texts."""
    for count, words in ((n_a, words_a), (n_b, words_b)):
        if count < least:
            raise Unusable(
                f"analyses.tests.contrasts: {name} has {count} texts {words}; at least {least} are "
                f"needed. {mend}"
            )


def paired(
    texts: Texts, chosen: np.ndarray, view: str, other: str, name: str, left: str = ""
) -> Design:
    """A design of pairs: the items that have both views."""
    present = chosen & texts.views[view].present
    present &= texts.views[other].present
    item = np.flatnonzero(present)
    if len(item) < LEAST:
        raise Unusable(
            f"analyses.tests.contrasts: {name} has {len(item)} pairs of texts; at least {LEAST} "
            f"are needed. Leave {name} out, or name more texts."
        )
    lost = int(chosen.sum()) - len(item)
    return Design(
        item,
        texts.cluster[item],
        PAIRS,
        FLIPS,
        np.ones(len(item)),
        view,
        other,
        left_out={left or f"without {other}": lost} if lost else {},
    )


def main_view(texts: Texts) -> str:
    """The view in which labels are compared: the edit, or the whole of an unpaired text."""
    return "edited" if texts.is_paired else "text"


__all__ = ["BETWEEN", "FLIPS", "WITHIN", "Contrast", "Design", "Unusable"]
