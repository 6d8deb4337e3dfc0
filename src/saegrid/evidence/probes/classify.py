"""Classifiers of one representation on one probe: choice of features, fits, predictions."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit

from saegrid.evidence.probes import fits
from saegrid.evidence.probes.problem import Problem, Split
from saegrid.evidence.probes.scores import score
from saegrid.evidence.probes.selection import Matrix, strengths, strongest
from saegrid.evidence.probes.target import CLASSES

SPARSE, ALL, DIFFERENCE = "k features", "all features", "difference of means"
METHODS = {
    SPARSE: "logistic regression (of a number: least squares) on the k features of the largest "
    "strength in the training texts, in units of their standard deviation, penalty |w|^2 / 2",
    ALL: "logistic regression (of a number: least squares) with an L2 penalty on all features",
    DIFFERENCE: "projection on the difference of the means of both classes (of a number: on the "
    "covariances with it)",
}
"""Methods, in words."""


class Method(NamedTuple):
    """A kind of classifier."""

    name: str
    """k features, all features, difference of means."""
    k: int | None = None


class Result(NamedTuple):
    """The predictions of a classifier of every text, by one that did not learn from it."""

    method: Method
    prediction: np.ndarray
    """(row,) float64 log odds, or numbers; texts of discovery by the classifier of the other
    folds, others by that of all of discovery."""
    chance: list[float]
    """Scores of the folds where labels were shuffled, on the labels that were learned."""
    gain: np.ndarray | None
    """(row,) the same beside the baseline; None where there is none, or no such fit."""
    chosen: list[np.ndarray]
    """Features of each split, strongest first; none of methods that take all."""


Columns = Callable[[Split], Matrix]
"""Function of a split that gives (row, feature) numbers, fitted on its training texts alone."""


def classify(
    problem: Problem,
    columns: Columns | Matrix,
    ks: Sequence[int],
    penalties: Sequence[float],
    shuffled: np.ndarray,
    offset: np.ndarray | None = None,
    methods: Sequence[str] = (SPARSE, ALL, DIFFERENCE),
) -> list[Result]:
    """The predictions of each method.

    columns: numbers of all rows, or a function where these are fitted on the training texts; ks:
    numbers of features; penalties: of these the best in an inner validation is taken, see `_wide`;
    shuffled: (row, time) labels; offset: (split, row) log odds or numbers of a baseline that has
    not learned from what it predicts; methods: those wanted.
    """
    splits = problem.splits()
    wanted = [Method(SPARSE, k) for k in ks] if SPARSE in methods else []
    wanted += [Method(name) for name in (ALL, DIFFERENCE) if name in methods]
    n = len(problem.y)
    results = [
        Result(m, np.full(n, np.nan), [],
               None if offset is None or m.name == DIFFERENCE else np.full(n, np.nan), [])
        for m in wanted
    ]  # fmt: skip
    tasks = _Tasks(problem, splits, shuffled, offset)
    strength = None if callable(columns) or not ks else tasks.strengths(columns)
    for number, split in enumerate(splits):
        matrix = columns(split) if callable(columns) else columns
        if strength is None and SPARSE in methods:
            of_split = tasks.strengths(matrix, number)
        else:
            of_split = None if strength is None else strength[number]
        if SPARSE in methods:
            _sparse(results, problem, matrix, split, tasks, number, of_split)
        if ALL in methods or DIFFERENCE in methods:
            _full(results, problem, matrix, split, tasks, number, penalties)
    return results


class _Tasks:
    """The tasks of each split: the labels, the labels beside a baseline, shuffled labels."""

    def __init__(
        self,
        problem: Problem,
        splits: list[Split],
        shuffled: np.ndarray,
        offset: np.ndarray | None,
    ) -> None:
        self.problem, self.splits, self.shuffled, self.offset = problem, splits, shuffled, offset

    def of(self, number: int) -> list[tuple[str, np.ndarray, np.ndarray | None]]:
        """Name, labels (row,) and offset (row,) of each task of a split;
        other parts are predicted with the labels as they are alone."""
        tasks: list[tuple[str, np.ndarray, np.ndarray | None]] = []
        tasks.append(("prediction", self.problem.y, None))
        if self.offset is not None:
            tasks.append(("gain", self.problem.y, self.offset[number]))
        if number < self.problem.n_folds:
            for time in range(self.shuffled.shape[1]):
                tasks.append(("shuffled", self.shuffled[:, time], None))
        return tasks

    def targets(self, number: int) -> np.ndarray:
        """(row, task) numbers by which features are chosen: labels, or their rest beside a
        baseline."""
        return np.column_stack(
            [
                y if offset is None else y - _expected(offset, self.problem.kind)
                for _, y, offset in self.of(number)
            ]
        )

    def strengths(self, matrix: Matrix, only: int | None = None) -> list[np.ndarray] | np.ndarray:
        """(feature, task) strengths of a split, or of all, for which the matrix is read once."""
        numbers = range(len(self.splits)) if only is None else [only]
        targets, train = [], []
        for number in numbers:
            of = self.targets(number)
            learned = np.zeros((len(of), 1), bool)
            learned[self.splits[number].train] = True
            targets.append(of)
            train.append(np.broadcast_to(learned, of.shape))
        ends = np.cumsum([of.shape[1] for of in targets])
        values = strengths(matrix, np.nan_to_num(np.hstack(targets)), np.hstack(train))
        parts = np.split(values, ends[:-1], axis=1)
        return parts if only is None else parts[0]


def _expected(offset: np.ndarray, kind: str) -> np.ndarray:
    return expit(offset) if kind == CLASSES else offset


def _sparse(
    results: list[Result],
    problem: Problem,
    matrix: Matrix,
    split: Split,
    tasks: _Tasks,
    number: int,
    strength: np.ndarray,
) -> None:
    """Fits on the strongest features of each task of a split."""
    ours = [one for one in results if one.method.name == SPARSE]
    most = max(one.method.k for one in ours)
    ranked = [strongest(strength[:, task], most) for task in range(strength.shape[1])]
    union, where = np.unique(np.concatenate(ranked), return_inverse=True)
    block = _dense(matrix, union)
    ends = np.cumsum([len(one) for one in ranked])
    for place, one, task in zip(np.split(where, ends[:-1]), ranked, tasks.of(number), strict=True):
        name, y, offset = task
        columns = block[:, place]
        learned, asked = columns[split.train], columns[split.test]
        sd = learned.std(axis=0)
        learned, asked = learned / sd, asked / sd
        free = 0
        if offset is not None:
            extra = offset[:, None] / max(float(offset[split.train].std()), 1e-12)
            learned = np.hstack([extra[split.train], learned])
            asked = np.hstack([extra[split.test], asked])
            free = 1
        for k, w in series(learned, y[split.train], problem.kind, [r.method.k for r in ours], free):
            used = min(k, len(place)) + free
            values = asked[:, :used] @ w[1:] + w[0]
            result = next(r for r in ours if r.method.k == k)
            _keep(result, name, values, split, y, problem.kind)
            if name == "prediction":
                result.chosen.append(one[:k])


def series(
    x: np.ndarray,
    y: np.ndarray,
    kind: str,
    ks: Sequence[int],
    free: int = 0,
    inverse: float = fits.C,
) -> Iterator[tuple[int, np.ndarray]]:
    """Each k with the weights (k + 1,) of a fit on the first k columns beside the first `free`
    ones; each begins where the one before ended, which changes no result but its last digits.
    inverse: inverse strength of the penalty."""
    before = None
    for k in sorted(set(ks)):
        used = x[:, : k + free]
        start = None
        if before is not None:
            start = np.zeros(used.shape[1] + 1)
            start[: len(before)] = before
        before = fits.narrow(used, y, kind, start, inverse)
        yield k, before


def _dense(matrix: Matrix, features: np.ndarray) -> np.ndarray:
    """(row, chosen) float64 some columns."""
    chosen = matrix[:, features]
    return (chosen.toarray() if sparse.issparse(chosen) else chosen).astype(np.float64)


def _full(
    results: list[Result],
    problem: Problem,
    matrix: Matrix,
    split: Split,
    tasks: _Tasks,
    number: int,
    penalties: Sequence[float],
) -> None:
    """Fits on all features for each task of a split."""
    rows = matrix.tocsr() if sparse.issparse(matrix) else matrix
    learned, asked = rows[split.train], rows[split.test]
    unit = fits.scale(learned)
    learned, asked = unit.of(learned), unit.of(asked)
    inner = problem.fold[split.train] == (number + 1) % problem.n_folds
    for result in results:
        if result.method.name == SPARSE:
            continue
        for name, y, offset in tasks.of(number):
            if result.method.name == DIFFERENCE:
                if name == "gain":
                    continue
                values = asked @ fits.direction(learned, y[split.train])
            else:
                free = None if offset is None else offset[split.train, None]
                fit = _wide(learned, y[split.train], problem.kind, penalties, free, inner)
                values = fits.predicted(
                    fit, asked, None if offset is None else offset[split.test, None]
                )
            _keep(result, name, values, split, y, problem.kind)


def _keep(
    result: Result, name: str, values: np.ndarray, split: Split, y: np.ndarray, kind: str
) -> None:
    """Keep the predictions of a task, or of shuffled labels the score."""
    if name == "shuffled":
        ones = np.ones((len(split.test), 1))
        result.chance.append(float(score(values, y[split.test], ones, kind)[0]))
    else:
        getattr(result, name)[split.test] = values


def _wide(
    x: np.ndarray | sparse.csr_matrix,
    y: np.ndarray,
    kind: str,
    penalties: Sequence[float],
    free: np.ndarray | None,
    inner: np.ndarray,
) -> fits.Wide:
    """A fit with the penalty, of several, that is best on one fold of the training texts after
    learning from the others."""
    best = penalties[0]
    if len(penalties) > 1:
        values = []
        learned, asked = np.flatnonzero(~inner), np.flatnonzero(inner)
        for penalty in penalties:
            beside = None if free is None else free[learned]
            fit = fits.wide(x[learned], y[learned], kind, penalty, beside)
            guess = fits.predicted(fit, x[asked], None if free is None else free[asked])
            values.append(score(guess, y[asked], np.ones((len(asked), 1)), kind)[0])
        best = penalties[int(np.nanargmax(values))]
    return fits.wide(x, y, kind, best, free)
