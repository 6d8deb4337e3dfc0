"""The interface of probes: texts with what is to be predicted of each."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from saegrid.evidence.contrast import LEAST, Unusable, label_of, numbers_of
from saegrid.evidence.exchange import BETWEEN
from saegrid.evidence.texts import Texts

CLASSES, NUMBER = "classes", "number"
METRICS = {
    CLASSES: "AUROC: the chance that a text of the class is placed above one of the other",
    NUMBER: "Spearman's correlation of prediction and number",
}
"""Scores by the kind of what is predicted, in words."""


class Labelled(NamedTuple):
    """Texts with what is to be predicted of each."""

    item: np.ndarray
    """(row,) int64 items; one that has two views has two rows."""
    view: list[str]
    """Views of the texts."""
    side: np.ndarray
    """(row,) int number of its view."""
    y: np.ndarray
    """(row,) float64: 1 and 0, or a number."""
    kind: str
    """classes or number."""
    words: str
    """Definition of what is predicted."""
    scheme: str = BETWEEN
    """Scheme by which labels are shuffled, see `exchange.SCHEMES`."""


class Probe(NamedTuple):
    """A question to classifiers, in words and as a function that finds its texts."""

    title: str
    question: str
    texts: Callable[[Texts, np.ndarray, Mapping[str, Any]], Labelled]
    """Function of the texts, (item,) bool of those that may be used, and the settings (label, high,
    low, classes); Unusable where these cannot answer the question."""
    paired: bool = False
    """Needs texts that are edits of originals."""
    labelled: bool = True
    """Needs a label."""


def column(texts: Texts, name: str | None, probe: str) -> np.ndarray | list:
    """A label column; Unusable where none is named, or the items have none such."""
    if name is None:
        raise Unusable(
            f"analyses.tests.label: the probe {probe} predicts a label. Name a column of the "
            f"items, or leave {probe} out of analyses.probes.probes."
        )
    return label_of(texts, name)


def numbers(texts: Texts, chosen: np.ndarray, name: str | None, probe: str) -> np.ndarray:
    """(item,) float64 a label of numbers, NaN where there is none; Unusable where all are."""
    column(texts, name, probe)
    return numbers_of(texts, chosen, name)


def check_classes(probe: str, y: np.ndarray, a: str, b: str, mend: str) -> None:
    """Unusable where a class has too few texts."""
    for count, words in ((int((y == 1).sum()), a), (int((y == 0).sum()), b)):
        if count < LEAST:
            raise Unusable(
                f"analyses.probes.probes: {probe} has {count} texts {words}; at least {LEAST} are "
                f"needed. {mend}"
            )


def check_numbers(probe: str, y: np.ndarray, name: str) -> None:
    """Unusable where texts with a number are few, or all numbers are equal."""
    if len(y) < LEAST:
        raise Unusable(
            f"analyses.probes.probes: {probe} has {len(y)} texts with a number in {name!r}; at "
            f"least {LEAST} are needed. Leave {probe} out, or name more texts."
        )
    if not np.ptp(y) > 0:
        raise Unusable(
            f"analyses.probes.probes: {probe} has {name} = {y[0]:g} in all {len(y):,} texts: there "
            f"is nothing to predict. Leave {probe} out."
        )


def one_view(texts: Texts, item: np.ndarray, y: np.ndarray, kind: str, words: str) -> Labelled:
    """Texts in the view in which labels are predicted: the edit, or the whole of an unpaired
    text."""
    view = "edited" if texts.is_paired else "text"
    return Labelled(item, [view], np.zeros(len(item), int), y, kind, words)
