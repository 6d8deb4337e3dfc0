"""Held-out AUROC against the number of units: how local a label is in a description of texts.

Units are chosen inside the training folds, by their strength there (`probes.selection`), and a
logistic regression on them predicts the fold that was left out. A description with more units has
more to choose from, so that curves stand twice: of all units, and of as many for every description.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.evidence.exchange import BETWEEN, generator
from saegrid.evidence.intervals import resampled
from saegrid.evidence.probes.classify import ALL, SPARSE, Columns, classify
from saegrid.evidence.probes.problem import Problem, Split
from saegrid.evidence.probes.scores import by_folds
from saegrid.evidence.probes.selection import Matrix
from saegrid.evidence.probes.target import CLASSES
from saegrid.evidence.units.columns import varies


class Curve(NamedTuple):
    """AUROC at each number of units."""

    k: list[int | None]
    """Numbers of units, ascending; None, the last, for all of them. Components have no such end:
    all of them are x, turned."""
    values: np.ndarray
    """(k, draw + 1) AUROC, mean over the folds; column 0 the texts as they are, the others texts
    whose word types are drawn again."""
    chance: np.ndarray
    """(k,) the same where labels of whole word types are exchanged; NaN where none were."""
    candidates: int
    """Units that were chosen from."""
    prediction: np.ndarray
    """(k, text) float64 log odds by what did not learn from the text; of several choices of
    candidates the first."""


def problem_of(y: np.ndarray, type: np.ndarray, fold: np.ndarray, name: str = "readout") -> Problem:
    """Texts of two classes as probes take them; all are of discovery."""
    n = len(y)
    zeros = np.zeros(n, np.int64)
    return Problem(
        name, CLASSES, y, np.arange(n), zeros, zeros, ["text"], type, zeros, ["discovery"],
        fold, BETWEEN, "", {},
    )  # fmt: skip


def drawn(type: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(text, draw + 1) float32 how often each text counts where whole word types are drawn again;
    the same for every description, so that differences are paired."""
    return resampled(type, draws, generator(seed, "drawn readout"))


def curve(
    columns: Matrix | Columns,
    problem: Problem,
    ks: Sequence[int],
    weight: np.ndarray,
    shuffles: int = 0,
    seed: int = 0,
    penalties: Sequence[float] = (1e-3,),
) -> Curve:
    """The curve of a description.

    columns: (text, unit) numbers, or a function of a split; weight: of `drawn`; shuffles: times
    that labels are exchanged, for chance; penalties: of the fit on all units, the best in an inner
    validation.
    """
    shuffled = problem.shuffled(shuffles, seed)
    ks = sorted(set(ks))
    methods = (SPARSE,) if callable(columns) else (SPARSE, ALL)
    results = classify(problem, columns, ks, penalties, shuffled, methods=methods)
    values = [
        by_folds(one.prediction, problem.y, problem.fold, weight, problem.kind) for one in results
    ]
    chance = [np.nanmean(one.chance) if one.chance else np.nan for one in results]
    described = columns(problem.splits()[0]) if callable(columns) else columns
    prediction = np.stack([one.prediction for one in results])
    return Curve(
        [one.method.k for one in results],
        np.stack(values),
        np.array(chance),
        described.shape[1],
        prediction,
    )


def subsets(matrix: Matrix, candidates: int, times: int, seed: int) -> list[np.ndarray]:
    """Choices of so many of the units that vary, ascending, drawn by seed without a look at labels;
    one choice of all of them where they are no more."""
    alive = np.flatnonzero(varies(matrix))
    if len(alive) <= candidates:
        return [alive]
    rng = generator(seed, "candidates")
    return [np.sort(rng.permutation(alive)[:candidates]) for _ in range(times)]


def equal_curve(
    columns: Matrix | Columns,
    problem: Problem,
    ks: Sequence[int],
    weight: np.ndarray,
    candidates: int,
    times: int,
    seed: int = 0,
    penalties: Sequence[float] = (1e-3,),
) -> Curve:
    """The mean curve over choices of as many candidates; of components, which are a function of a
    split, the first ones.

    candidates: units to choose from; times: choices of them.
    """
    if callable(columns):

        def first(split: Split) -> Matrix:
            return columns(split)[:, :candidates]

        return curve(first, problem, ks, weight, seed=seed, penalties=penalties)
    parts = [
        curve(_chosen(columns, units), problem, ks, weight, seed=seed, penalties=penalties)
        for units in subsets(columns, candidates, times, seed)
    ]
    mean = np.mean([one.values for one in parts], axis=0)
    return parts[0]._replace(values=mean)


def _chosen(matrix: Matrix, units: np.ndarray) -> Matrix:
    return matrix.tocsc()[:, units] if sparse.issparse(matrix) else matrix[:, units]
