"""Scores of predictions, and what they are when whole originals are drawn again."""

from typing import NamedTuple

import numpy as np

from saegrid.evidence.probes.target import CLASSES


class _Ordered(NamedTuple):
    """Rows in ascending order of their predictions."""

    order: np.ndarray
    """(row,) rows."""
    weight: np.ndarray
    """(row, draw) float32 how often each counts."""
    group: np.ndarray
    """(row,) number of its group of equal predictions."""
    below: np.ndarray
    """(group, draw) float32 the weight of the rows below a group, and half of its own: exact, as
    long as all rows together weigh less than 2^23."""


def _ordered(prediction: np.ndarray, weight: np.ndarray) -> _Ordered:
    order = np.argsort(prediction, kind="stable")
    differs = np.diff(prediction[order]) != 0
    weight = weight[order].astype(np.float32, copy=False)
    total = np.zeros((len(order) + 1, weight.shape[1]), np.float32)
    np.cumsum(weight, axis=0, out=total[1:])
    opens = np.flatnonzero(np.concatenate([[True], differs]))
    closes = np.append(opens[1:], len(order))
    group = np.concatenate([[0], np.cumsum(differs)])
    below = total[opens] + total[closes]
    below /= 2
    return _Ordered(order, weight, group, below)


def auc(prediction: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(draw,) AUROC, ties counting half; NaN where a class is not drawn.

    weight: (row, draw) whole numbers, how often each row counts.
    """
    if len(y) == 0:
        return np.full(weight.shape[1], np.nan)
    by = _ordered(prediction, weight)
    ours = np.flatnonzero(y[by.order] > 0)
    drawn = by.weight[ours]
    a = drawn.sum(axis=0, dtype=np.float64)
    b = by.weight.sum(axis=0, dtype=np.float64) - a
    drawn *= by.below[by.group[ours]]
    above = drawn.sum(axis=0, dtype=np.float64) - a**2 / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((a > 0) & (b > 0), above / (a * b), np.nan)


def spearman(prediction: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(draw,) correlation of the midranks; NaN where one of both does not vary."""
    if len(y) == 0:
        return np.full(weight.shape[1], np.nan)
    total = weight.sum(axis=0, dtype=np.float64)
    ranks = []
    for values in (prediction, y):
        by = _ordered(values, weight)
        rank = np.empty(weight.shape)
        rank[by.order] = by.below[by.group]
        rank -= total / 2
        ranks.append(rank)
    a, b = ranks
    weighted = a * weight
    cross = np.einsum("ij,ij->j", weighted, b)
    power = np.einsum("ij,ij->j", weighted, a)
    b_weighted = np.multiply(b, weight, out=weighted)
    power *= np.einsum("ij,ij->j", b_weighted, b)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(power > 0, cross / np.sqrt(np.where(power > 0, power, 1)), np.nan)


def score(prediction: np.ndarray, y: np.ndarray, weight: np.ndarray, kind: str) -> np.ndarray:
    """(draw,) the score of a kind of prediction: `target.METRICS`."""
    return (auc if kind == CLASSES else spearman)(prediction, y, weight)


def by_folds(
    prediction: np.ndarray, y: np.ndarray, fold: np.ndarray, weight: np.ndarray, kind: str
) -> np.ndarray:
    """(draw,) the mean over the folds of the score in each: predictions of classifiers that learned
    from different texts are not compared with each other."""
    parts = [fold == one for one in np.unique(fold)]
    values = np.stack([score(prediction[p], y[p], weight[p], kind) for p in parts])
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(known.any(axis=0), total / known.sum(axis=0), np.nan)


def average_precision(prediction: np.ndarray, y: np.ndarray) -> float:
    """AUPRC as the mean precision at each text of the class; texts of equal prediction together."""
    order = np.argsort(-prediction, kind="stable")
    ordered, ours = prediction[order], y[order]
    closes = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    hits = np.cumsum(ours)[closes]
    if not len(hits) or not hits[-1]:
        return float("nan")
    recall = hits / hits[-1]
    return float((np.diff(recall, prepend=0) * hits / (closes + 1)).sum())


def rmse(prediction: np.ndarray, y: np.ndarray) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.square(prediction - y).mean())) if len(y) else float("nan")
