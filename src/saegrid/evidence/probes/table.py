"""Scores of classifiers with their intervals, as tables; and the predictions behind them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.registry import pick
from saegrid.evidence.exchange import generator
from saegrid.evidence.intervals import percentiles, resampled
from saegrid.evidence.probes.classify import ALL, Result, classify
from saegrid.evidence.probes.material import Material, Representation
from saegrid.evidence.probes.problem import Problem
from saegrid.evidence.probes.representations import BASELINES, REPRESENTATIONS
from saegrid.evidence.probes.scores import average_precision, by_folds, rmse, score
from saegrid.evidence.probes.target import CLASSES

FOLDS = pa.schema(
    [
        ("probe", pa.string()),
        ("site", pa.string()),
        ("cell", pa.string()),
        ("representation", pa.string()),
        ("method", pa.string()),
        ("k", pa.int32()),
        ("part", pa.string()),
        ("fold", pa.int32()),
        ("n_train", pa.int32()),
        ("n_test", pa.int32()),
        ("score", pa.float64()),
        ("auprc", pa.float64()),
        ("rmse", pa.float64()),
        ("chosen", pa.string()),
    ]
)
"""One row a classifier and what it predicts: a fold of discovery after learning from the others, or
(fold null) another part after learning from all of discovery.

site, cell: null where the representation is not of one. k: number of features, null: all. score:
AUROC of classes, Spearman's correlation of numbers. auprc, rmse: null where they are of the other
kind. chosen: features, strongest first.
"""
SUMMARY = pa.schema(
    [
        ("probe", pa.string()),
        ("site", pa.string()),
        ("cell", pa.string()),
        ("representation", pa.string()),
        ("method", pa.string()),
        ("k", pa.int32()),
        ("score", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("gain", pa.float64()),
        ("gain_low", pa.float64()),
        ("gain_high", pa.float64()),
        ("chance", pa.float64()),
        ("n", pa.int32()),
        ("n_clusters", pa.int32()),
    ]
)
"""One row a classifier.

score: mean over the folds of discovery; low, high: its 95 % interval where whole originals are
drawn again, the same ones for all. Classifiers stay as they are and share the texts that they
learned from, so that these intervals are too narrow: under random labels they hold the truth in 8
of 10 data sets; those of another part do in 19 of 20. gain: score of the baseline (best of words,
frequency_surprisal and both) with these features beside it, less that of the baseline alone.
chance: mean score where labels were shuffled between originals. Further columns score_<part>,
low_<part>, high_<part>: of the classifier that learned from all of discovery on another part.
"""


class Base(NamedTuple):
    """The baseline of a probe: the best of the representations of the texts alone."""

    name: str
    offset: np.ndarray
    """(split, row) log odds or numbers by a fit that has not learned from the row."""
    prediction: np.ndarray
    """(row,) the same, of each text in the split that predicts it."""


class Answer(NamedTuple):
    """The results of a job."""

    folds: list[dict[str, Any]]
    """Rows of `FOLDS`."""
    summary: list[dict[str, Any]]
    """Rows of `SUMMARY`."""
    tensors: dict[str, np.ndarray]
    """probe/predictions (summary row of the probe, row) float32; of baselines also probe/offset
    and probe/base."""


class Draws(NamedTuple):
    """Counts of how often each text is drawn; the same for all classifiers."""

    parts: list[np.ndarray]
    """(text,) rows of each part."""
    weights: list[np.ndarray]
    """(text, draw + 1) of each part, column 0 all ones."""


def draws(problem: Problem, times: int, seed: int) -> Draws:
    """Draws of whole originals in each part."""
    parts, weights = [], []
    for number, name in enumerate(problem.parts):
        rows = np.flatnonzero(problem.part == number)
        rng = generator(seed, f"drawn {problem.name} {name}")
        parts.append(rows)
        weights.append(resampled(problem.cluster[rows], times, rng))
    return Draws(parts, weights)


def ask(
    material: Material,
    problem: Problem,
    names: Sequence[str],
    settings: Mapping[str, Any],
    place: Mapping[str, str | None],
    base: Base | None = None,
    drawn: Draws | None = None,
) -> tuple[Answer, list[Result]]:
    """The classifiers of some representations on a probe.

    names: in `REPRESENTATIONS`; settings: ks, l2, shuffles, draws, seed; place: site and cell for
    the tables; base: the baseline for gains.
    """
    drawn = draws(problem, settings["draws"], settings["seed"]) if drawn is None else drawn
    shuffled = problem.shuffled(settings["shuffles"], settings["seed"])
    answer, every = Answer([], [], {}), []
    rows = drawn.parts[0]
    before = None
    if base is not None:
        before = _by_folds(problem, base.prediction, rows, drawn.weights[0])
    predictions = []
    for name in names:
        representation: Representation = pick(REPRESENTATIONS, name, "Representation")
        columns = representation.build(material, problem)
        if columns is None:
            continue
        results = classify(
            problem,
            columns,
            settings["ks"],
            settings["l2"],
            shuffled,
            None if base is None else base.offset,
            representation.methods,
        )
        for result in results:
            head = {**place, "probe": problem.name, "representation": name}
            head |= {"method": result.method.name, "k": result.method.k}
            answer.folds.extend({**head, **row} for row in _folds(problem, result))
            answer.summary.append(head | _summary(problem, result, drawn, before))
            predictions.append(result.prediction.astype(np.float32))
            every.append(result)
    if predictions:
        answer.tensors[f"{problem.name}/predictions"] = np.stack(predictions)
    return answer, every


def _by_folds(
    problem: Problem, prediction: np.ndarray, rows: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    return by_folds(prediction[rows], problem.y[rows], problem.fold[rows], weight, problem.kind)


def _folds(problem: Problem, result: Result) -> list[dict[str, Any]]:
    out = []
    classes = problem.kind == CLASSES
    # The difference of means is a direction, and no number that could be compared with y.
    comparable = not classes and result.method.name != "difference of means"
    places = [(f, np.flatnonzero(problem.fold == f), 0) for f in range(problem.n_folds)]
    others = range(1, len(problem.parts))
    places += [(None, np.flatnonzero(problem.part == number), number) for number in others]
    for fold, test, part in places:
        guess, y = result.prediction[test], problem.y[test]
        split = problem.n_folds if fold is None else fold
        value = float(score(guess, y, np.ones((len(y), 1)), problem.kind)[0])
        n = int((problem.fold >= 0).sum())
        out.append(
            {
                "part": problem.parts[part],
                "fold": fold,
                "n_train": n if fold is None else n - len(test),
                "n_test": len(test),
                "score": _number(value),
                "auprc": _number(average_precision(guess, y)) if classes else None,
                "rmse": _number(rmse(guess, y)) if comparable else None,
                "chosen": " ".join(map(str, result.chosen[split])) if result.chosen else None,
            }
        )
    return out


def _summary(
    problem: Problem, result: Result, drawn: Draws, before: np.ndarray | None
) -> dict[str, Any]:
    rows, weight = drawn.parts[0], drawn.weights[0]
    values = _by_folds(problem, result.prediction, rows, weight)
    out = dict(zip(("score", "low", "high"), _interval(values), strict=True))
    gain: tuple[float | None, ...] = (None, None, None)
    if before is not None and result.gain is not None:
        gain = _interval(_by_folds(problem, result.gain, rows, weight) - before)
    out |= dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True))
    out["chance"] = _chance(result)
    out["n"], out["n_clusters"] = len(rows), len(np.unique(problem.cluster[rows]))
    for number, name in enumerate(problem.parts[1:], 1):
        rows, weight = drawn.parts[number], drawn.weights[number]
        values = score(result.prediction[rows], problem.y[rows], weight, problem.kind)
        names = (f"score_{name}", f"low_{name}", f"high_{name}")
        out |= dict(zip(names, _interval(values), strict=True))
    return out


def _chance(result: Result) -> float | None:
    """The mean score of the folds under shuffled labels; None without shuffles."""
    known = [value for value in result.chance if not np.isnan(value)]
    return float(np.mean(known)) if known else None


def _interval(values: np.ndarray) -> tuple[float | None, ...]:
    if np.isnan(values[0]) or len(values) < 2:
        return _number(float(values[0])), None, None
    low, high = percentiles(values[None])
    return _number(float(values[0])), _number(float(low[0])), _number(float(high[0]))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def schema(parts: Sequence[str]) -> pa.Schema:
    """The columns of a summary where other parts than discovery are named."""
    more = [
        (f"{key}_{part}", pa.float64()) for part in parts[1:] for key in ("score", "low", "high")
    ]
    return pa.schema([*SUMMARY, *more])


def baselines(
    material: Material,
    problem: Problem,
    more: Sequence[str],
    settings: Mapping[str, Any],
) -> tuple[Answer, Base | None]:
    """The classifiers of the texts alone, and the best of them as the baseline of all others.

    more: further representations of the texts alone, which are no baseline.
    """
    place = {"site": None, "cell": None}
    answer, results = ask(material, problem, [*BASELINES, *more], settings, place)
    scored = [
        (row["score"], -number)
        for number, row in enumerate(answer.summary)
        if row["representation"] in BASELINES and row["method"] == ALL and row["score"] is not None
    ]
    if not scored:
        return answer, None
    number = -max(scored)[1]
    name = answer.summary[number]["representation"]
    representation: Representation = pick(REPRESENTATIONS, name, "Representation")
    columns = representation.build(material, problem)
    base = Base(name, _offsets(problem, columns, settings), results[number].prediction)
    answer.tensors[f"{problem.name}/offset"] = base.offset.astype(np.float32)
    answer.tensors[f"{problem.name}/base"] = base.prediction.astype(np.float32)
    return answer, base


def _offsets(problem: Problem, columns: Any, settings: Mapping[str, Any]) -> np.ndarray:
    """(split, row) predictions of the baseline: of the training texts of a split by fits on the
    other folds of these, so that no text is predicted by what has learned from it."""
    out = np.zeros((problem.n_folds + 1, len(problem.y)))
    nothing = np.empty((len(problem.y), 0))
    for number in range(problem.n_folds + 1):
        fold = problem.fold.copy()
        fold[problem.fold == number] = -1
        ours = fold >= 0
        fold[ours] = np.unique(fold[ours], return_inverse=True)[1]
        inner = problem._replace(fold=fold)
        (result,) = classify(inner, columns, (), settings["l2"], nothing, None, (ALL,))
        out[number] = result.prediction
    return out


def table(rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> pa.Table:
    """Rows as a table; what a row lacks is null."""
    return pa.Table.from_pylist([dict(row) for row in rows], columns)
