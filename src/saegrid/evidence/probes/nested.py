"""Probes in nested folds: penalties chosen on texts of the training folds, predictions of others.

Each outer fold is predicted by a probe of the other folds. Its penalty is the one that is best on
these folds, each predicted after fitting the remaining ones; the score there is `validation`, by
which a set of probes can choose one of its own (`quiver`). No text that is predicted has a part
in a choice.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.evidence import exchange
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes.classify import SPARSE, Columns, classify
from saegrid.evidence.probes.linear.method import Line, Method, Rows, accuracy, explained, loss
from saegrid.evidence.probes.problem import Problem, Split
from saegrid.evidence.probes.scores import auc, by_folds
from saegrid.evidence.probes.selection import Matrix
from saegrid.evidence.probes.target import CLASSES

K_SPARSE = "k_sparse"


class Task(NamedTuple):
    """Texts of two classes, with word types and folds."""

    y: np.ndarray
    """(text,) float64 1 and 0."""
    type: np.ndarray
    """(text,) int word types; all texts of one lie in one fold."""
    fold: np.ndarray
    """(text,) int folds, 0 to n - 1."""
    seed: int = 0

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    def outer(self, fold: int) -> Split:
        """A fold to predict, and all others to fit."""
        return Split(np.flatnonzero(self.fold != fold), np.flatnonzero(self.fold == fold))

    def inner(self, fold: int) -> list[Split]:
        """Each of the other folds to predict, and the remaining ones to fit."""
        rest = self.fold != fold
        return [
            Split(np.flatnonzero(rest & (self.fold != one)), np.flatnonzero(self.fold == one))
            for one in range(self.n_folds)
            if one != fold
        ]

    def shuffled(self, times: int) -> list["Task"]:
        """Task on the same texts with labels exchanged between whole types."""
        rng = exchange.generator(self.seed, "readout shuffled")
        source = exchange.exchanged(self.type, times, rng)[:, 1:]
        return [self._replace(y=self.y[rows]) for rows in source.T]


class Nested(NamedTuple):
    """The predictions of a method, each by a probe that was not fitted on the text."""

    name: str
    """Name in `LINEAR`, or `k_sparse`."""
    k: int | None
    """Number of units that are chosen; None: all."""
    prediction: np.ndarray
    """(text,) float64 log odds or distances."""
    validation: np.ndarray
    """(fold,) mean AUROC on the folds of the training texts, at the penalty that is chosen."""
    n_nonzero: np.ndarray
    """(fold,) weights that are not zero."""
    penalty: np.ndarray
    """(fold,) the penalty; NaN where the method has none."""
    fitted: np.ndarray
    """(fold,) accuracy on the texts that were fitted; NaN of k_sparse."""
    explained: float
    """Explained deviance of the texts that were not fitted; NaN where it predicts no odds."""
    converged: bool
    note: str = ""
    """One sentence, where there is no such probe: then all numbers are NaN."""

    @property
    def label(self) -> str:
        """Name, and k where there is one."""
        return self.name if self.k is None else f"{self.name} {self.k}"


def nested(task: Task, columns: Columns | Matrix, methods: Mapping[str, Method]) -> list[Nested]:
    """The predictions of each method. columns: (text, unit), or a function of a split that gives
    them, fitted on its training texts alone."""
    kept = {name: _Kept(task, method) for name, method in methods.items()}
    for fold in range(task.n_folds):
        for split in task.inner(fold):
            _each(kept, task, columns, split, lambda one, *rows: one.judge(*rows))
        outer = task.outer(fold)
        _each(kept, task, columns, outer, lambda one, *rows, at=fold: one.predict(at, *rows))
    return [one.result(name) for name, one in kept.items()]


def _each(
    kept: Mapping[str, "_Kept"],
    task: Task,
    columns: Columns | Matrix,
    split: Split,
    call: Callable[..., None],
) -> None:
    """Call each method that has not failed with the split and its numbers; a training part of one
    class is left out."""
    if len(np.unique(task.y[split.train])) < 2:
        return
    train, test = rows_of(columns, split)
    for one in kept.values():
        if not one.note:
            try:
                call(one, split, train, test)
            except Unusable as reason:
                one.note = str(reason)


def rows_of(columns: Columns | Matrix, split: Split) -> tuple[Rows, Rows]:
    """(text, unit) float64 training and test texts of a split."""
    matrix = columns(split) if callable(columns) else columns
    rows = matrix.tocsr() if sparse.issparse(matrix) else matrix
    return rows[split.train].astype(np.float64), rows[split.test].astype(np.float64)


class _Kept:
    """The scores and predictions of a method so far."""

    def __init__(self, task: Task, method: Method) -> None:
        self.task, self.method, self.note = task, method, ""
        n, folds = len(task.y), task.n_folds
        self.prediction = np.full(n, np.nan)
        self.share = np.full(n, np.nan)
        self.validation, self.fitted = np.full(folds, np.nan), np.full(folds, np.nan)
        self.n_nonzero, self.penalty = np.full(folds, np.nan), np.full(folds, np.nan)
        self.converged = True
        self.judged: list[list[tuple[float, float]]] = []

    def lines(self, split: Split, train: Rows) -> list[Line]:
        """The probes of a split."""
        return self.method.path(train, self.task.y[split.train], self.method.penalties)

    def judge(self, split: Split, train: Rows, test: Rows) -> None:
        """Keep the AUROC and the loss of each penalty on an inner fold."""
        y, scores = self.task.y[split.test], []
        for line in self.lines(split, train):
            margin = line.of(test)
            scores.append((_auc(margin, y), float(loss(margin, y).mean())))
        self.judged.append(scores)

    def predict(self, fold: int, split: Split, train: Rows, test: Rows) -> None:
        """Predict an outer fold at the penalty that was best on the inner ones; of several equal
        ones the strongest."""
        y, best = self.task.y[split.train], 0
        if self.judged:
            area, cost = np.nanmean(np.array(self.judged), axis=0).T
            best = int(np.argmin(cost) if self.method.is_odds else np.argmax(area))
            self.validation[fold] = area[best]
        self.judged = []
        line = self.lines(split, train)[best]
        self.prediction[split.test] = line.of(test)
        self.share[split.test] = y.mean()
        self.fitted[fold] = accuracy(line.of(train), y)
        self.n_nonzero[fold] = line.n_nonzero
        self.penalty[fold] = np.nan if line.penalty is None else line.penalty
        self.converged &= line.converged

    def result(self, name: str) -> Nested:
        """Predictions, scores and columns of all folds, under a name."""
        known = ~np.isnan(self.prediction)
        deviance = np.nan
        if self.method.is_odds and known.any() and not self.note:
            deviance = explained(self.prediction[known], self.task.y[known], self.share[known])
        parts = (self.validation, self.n_nonzero, self.penalty, self.fitted)
        if self.note:
            parts = tuple(np.full(len(one), np.nan) for one in parts)
            self.prediction[:] = np.nan
        return Nested(name, None, self.prediction, *parts, deviance, self.converged, self.note)


def _auc(prediction: np.ndarray, y: np.ndarray) -> float:
    return float(auc(prediction, y, np.ones((len(y), 1)))[0])


# --- k units ----------------------------------------------------------------------------------


def problem_of(task: Task, without: int | None = None) -> Problem:
    """The texts as `classify` takes them; `without`: a fold that no classifier is fitted on."""
    fold = task.fold.astype(int).copy()
    if without is not None:
        fold[fold == without] = -1
        ours = fold >= 0
        fold[ours] = np.unique(fold[ours], return_inverse=True)[1]
    n, zeros = len(task.y), np.zeros(len(task.y), int)
    part = (fold < 0).astype(int)
    names = ["discovery", "held out"][: 1 + (without is not None)]
    return Problem(
        "readout", CLASSES, task.y, np.arange(n), zeros, zeros, ["text"], task.type, part, names,
        fold, exchange.BETWEEN, "", {},
    )  # fmt: skip


def sparse_curve(
    task: Task, columns: Columns | Matrix, ks: Sequence[int], validated: bool = True
) -> list[Nested]:
    """The predictions of logistic regressions on the k units of the largest strength, which is
    computed on the texts that are fitted (`classify`). validated: also the AUROC inside the
    training folds, for four fifths of the work."""
    n, folds = len(task.y), task.n_folds
    nothing = np.empty((n, 0))
    if not validated:
        results = classify(problem_of(task), columns, ks, (), nothing, methods=(SPARSE,))
        held = {one.method.k: one.prediction for one in results}
        chosen = {one.method.k: [len(c) for c in one.chosen[:folds]] for one in results}
        none = np.full(folds, np.nan)
        return [_curve(task, k, held[k], none, chosen[k]) for k in sorted(set(ks))]
    prediction = {k: np.full(n, np.nan) for k in ks}
    validation = {k: np.full(folds, np.nan) for k in ks}
    counts: dict[int, list[int]] = {k: [] for k in ks}
    for fold in range(folds):
        of, test = problem_of(task, fold), task.fold == fold
        for one in classify(of, columns, ks, (), nothing, methods=(SPARSE,)):
            k, rows = one.method.k, of.searched
            prediction[k][test] = one.prediction[test]
            ones = np.ones((len(rows), 1))
            inside = (one.prediction[rows], of.y[rows], of.fold[rows], ones, CLASSES)
            validation[k][fold] = by_folds(*inside)[0]
            counts[k].append(len(one.chosen[-1]))
    return [_curve(task, k, prediction[k], validation[k], counts[k]) for k in sorted(set(ks))]


def _curve(
    task: Task, k: int, prediction: np.ndarray, validation: np.ndarray, chosen: Sequence[int]
) -> Nested:
    share = np.empty(len(task.y))
    for fold in range(task.n_folds):
        share[task.fold == fold] = task.y[task.fold != fold].mean()
    none = np.full(task.n_folds, np.nan)
    deviance = explained(prediction, task.y, share)
    return Nested(
        K_SPARSE, k, prediction, validation, np.array(chosen, float), none, none, deviance, True
    )
