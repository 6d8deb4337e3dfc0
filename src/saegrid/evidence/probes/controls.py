"""Control tasks: what a probe predicts of labels that mean nothing.

Selectivity is the accuracy on test texts of the task less that of the control (Hewitt and Liang
2019). Their control gives each word type a random label: a probe that has learned the types by
heart predicts the labels of test texts whose types were fitted, and has no selectivity. Where
each type has one text no test text has such a type, and the control measures nothing of that kind:
`recurring` is 0, and `note` says so.

The published control (`published`) shuffles labels over training and test texts together, so that
its accuracy is that of guessing whatever the probe remembers.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.evidence.exchange import generator
from saegrid.evidence.probes.linear import svm, svm_published
from saegrid.evidence.probes.linear.method import Line, Rows, accuracy
from saegrid.evidence.probes.problem import Split
from saegrid.evidence.probes.scores import auc
from saegrid.evidence.probes.selection import Matrix

TIMES = 100
SEED = 1024
"""Seed of the published split; repeats have the seeds after it."""
TEST = 0.25
BINS = 10
TYPES, PUBLISHED = "types", "published"
ONE_TEXT = (
    "Each word type has one text, so that no test text is of a type that was fitted: this control "
    "cannot measure whether the probe memorises types, and its accuracy is that of guessing."
)
SHUFFLED = (
    "Labels are shuffled over training and test texts together, so that the control's accuracy is "
    "that of guessing whatever the probe remembers. Repeat 1 draws the order of the split again: "
    "its control labels are the true ones, and its selectivity is 0."
)


class Selectivity(NamedTuple):
    """Accuracies of a probe on its task and on control tasks."""

    protocol: str
    """types or published."""
    task_train: float
    task_test: float
    control_train: float
    control_test: float
    """Accuracies, of `types` means over the draws; of `published` those of its first control."""
    values: np.ndarray
    """(control,) selectivities."""
    recurring: float
    """Share of the test texts whose type was fitted; NaN of `published`, which knows no types."""
    control_seen: float
    """Accuracy of the control on these; NaN where there are none."""
    converged: float
    """Share of the fits whose steps were enough."""
    penalty: float
    """The penalty of the probe, NaN where it is the published one."""
    note: str

    @property
    def mean(self) -> float:
        """Mean of the selectivities."""
        return float(self.values.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the selectivities."""
        low, high = np.percentile(self.values, [2.5, 97.5])
        return float(low), float(high)

    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """(bin,) counts and (bin + 1,) edges of ten bins of equal width over the values."""
        return np.histogram(self.values, BINS)


def control_labels(y: np.ndarray, type: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(text,) labels of the types, exchanged between these, so that both classes have as many types
    as before. A type's label is that of most of its texts, of as many of both 1."""
    _, number, count = np.unique(type, return_inverse=True, return_counts=True)
    majority = (np.bincount(number, y) * 2 >= count) * 1.0
    return majority[rng.permutation(len(count))][number]


def by_types(
    matrix: Matrix,
    y: np.ndarray,
    type: np.ndarray,
    times: int = TIMES,
    seed: int = 0,
) -> Selectivity:
    """Selectivity over controls with labels of word types.

    Each draw has its own split, a quarter of the texts to test, types on both sides where they
    have several texts, and its own labels of types. The probe is the scaled linear SVM of the
    penalty that is best for the task inside the training texts of the first split, for the task
    and its controls alike. matrix: (text, unit).
    """
    rows = _by_row(matrix)
    rng = generator(seed, "control tasks of types")
    n = len(y)
    penalty, out, seen, n_seen, converged = np.nan, [], 0.0, 0, []
    for time in range(times):
        split = _split(y, rng)
        if not time:
            penalty = _penalty(rows[split.train], y[split.train])
        control = control_labels(y, type, rng)
        task, other = (_probed(rows, of, split, penalty) for of in (y, control))
        fitted = np.isin(type[split.test], type[split.train])
        hit = (other.margin > 0) == (control[split.test] > 0)
        seen, n_seen = seen + float(hit[fitted].sum()), n_seen + int(fitted.sum())
        out.append((task.train, task.test, other.train, other.test))
        converged += [task.converged, other.converged]
    of = np.array(out)
    return Selectivity(
        TYPES,
        *of.mean(axis=0).tolist(),
        of[:, 1] - of[:, 3],
        n_seen / (times * int(TEST * n)),
        seen / n_seen if n_seen else np.nan,
        float(np.mean(converged)),
        float(penalty),
        "" if n_seen else ONE_TEXT,
    )


def published(matrix: Matrix, y: np.ndarray, times: int = TIMES) -> Selectivity:
    """Selectivity exactly as published: seed 1024, `torch.randperm`, the first quarter to test,
    LinearSVC with its defaults on columns as they are. The first control's labels are those of the
    texts of a second permutation; those of the repeats i are of the first permutation after
    seed 1024 + i, for the same split. (LinearSVC's own order of texts, which it draws anew each
    time, is drawn by seed 0.)"""
    rows, n = _by_row(matrix), len(y)
    order, second = orders(SEED, n)
    cut = int(n * TEST)
    split = Split(order[cut:], order[:cut])
    task = _probed(rows, y, split)
    first = _relabelled(rows, y, split, second)
    repeats = [_relabelled(rows, y, split, orders(SEED + i, n)[0]) for i in range(times)]
    fits_ = [task, first, *repeats]
    return Selectivity(
        PUBLISHED,
        task.train,
        task.test,
        first.train,
        first.test,
        np.array([task.test - one.test for one in repeats]),
        np.nan,
        np.nan,
        float(np.mean([one.converged for one in fits_])),
        np.nan,
        SHUFFLED,
    )


def orders(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(text,) the first and second `torch.randperm` after `torch.manual_seed`."""
    import torch

    drawn = torch.Generator().manual_seed(seed)
    first, second = (torch.randperm(n, generator=drawn).numpy() for _ in range(2))
    return first, second


class _Probed(NamedTuple):
    """A probe of a split."""

    train: float
    test: float
    margin: np.ndarray
    converged: bool


def _probed(rows: Rows, y: np.ndarray, split: Split, penalty: float | None = None) -> _Probed:
    """A linear SVM on a split: scaled with a penalty, or without one as published."""
    x, asked = rows[split.train], rows[split.test]
    learned, target = y[split.train], y[split.test]
    if len(np.unique(learned)) < 2:
        line = Line(np.zeros(x.shape[1]), float(learned[0]) - 0.5)
    elif penalty is None:
        (line,) = svm_published.path(x, learned)
    else:
        (line,) = svm.path(x, learned, [penalty])
    margin = line.of(asked)
    shares = accuracy(line.of(x), learned), accuracy(margin, target)
    return _Probed(*shares, margin, line.converged)


def _relabelled(rows: Rows, y: np.ndarray, split: Split, order: np.ndarray) -> _Probed:
    """The probe of a split whose texts have the labels of a permutation."""
    cut = len(split.test)
    labels = np.empty(len(y))
    labels[split.test], labels[split.train] = y[order[:cut]], y[order[cut:]]
    return _probed(rows, labels, split)


def _split(y: np.ndarray, rng: np.random.Generator) -> Split:
    order = rng.permutation(len(y))
    cut = int(len(y) * TEST)
    return Split(np.sort(order[cut:]), np.sort(order[:cut]))


def _penalty(x: Rows, y: np.ndarray, parts: int = 3) -> float:
    """The penalty of the best mean AUROC over three parts of the texts, each predicted after
    fitting the others; of equal ones the strongest."""
    part = np.empty(len(y), int)
    for label in (0.0, 1.0):
        ours = np.flatnonzero(y == label)
        part[ours] = np.arange(len(ours)) % parts
    scores = []
    for one in range(parts):
        inside, asked = part != one, part == one
        if len(np.unique(y[inside])) == 2:
            lines = svm.path(x[inside], y[inside], svm.METHOD.penalties)
            ones = np.ones((int(asked.sum()), 1))
            scores.append([auc(line.of(x[asked]), y[asked], ones)[0] for line in lines])
    if not scores:
        return 1.0
    return svm.METHOD.penalties[int(np.argmax(np.nan_to_num(np.nanmean(scores, axis=0))))]


def _by_row(matrix: Matrix) -> Rows:
    rows = matrix.tocsr() if sparse.issparse(matrix) else np.asarray(matrix)
    return rows.astype(np.float64)
