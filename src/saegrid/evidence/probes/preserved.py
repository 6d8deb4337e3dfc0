"""Labels in what an SAE keeps of activations: probes on x, its reconstruction, its codes
and its error, and the selectivity of reconstructed activations."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from saegrid.evidence.exchange import generator
from saegrid.evidence.intervals import percentiles, resampled
from saegrid.evidence.probes.linear import svm
from saegrid.evidence.probes.linear.method import Line, accuracy
from saegrid.evidence.probes.nested import Nested, Task
from saegrid.evidence.probes.problem import Split
from saegrid.evidence.probes.scores import by_folds
from saegrid.evidence.probes.target import CLASSES

DELTA_TEST, DELTA_SEED, DELTA_STEPS = 0.2, 42, 3000
"""Share of the test texts, seed of the split and steps of the published delta selectivity."""


class Score(NamedTuple):
    """A score with the middle 95 % of its values where word types are drawn again."""

    value: float
    low: float
    high: float


class Draws(NamedTuple):
    """Counts of how often each text is drawn, whole word types with replacement; the same for all
    probes, so that differences are paired."""

    weight: np.ndarray
    """(text, draw + 1) float32; column 0 takes each once."""


def draws(task: Task, times: int) -> Draws:
    """Draws of word types."""
    rng = generator(task.seed, "readout drawn types")
    return Draws(resampled(task.type, times, rng))


def areas(task: Task, prediction: np.ndarray, drawn: Draws) -> np.ndarray:
    """(draw + 1,) mean over the folds of the AUROC in each."""
    if np.isnan(prediction).any():
        return np.full(drawn.weight.shape[1], np.nan)
    return by_folds(prediction, task.y, task.fold, drawn.weight, CLASSES)


def interval(values: np.ndarray) -> Score:
    """A score from its values (draw + 1,), that of the texts as they are first."""
    low, high = percentiles(values[None])
    return Score(float(values[0]), float(low[0]), float(high[0]))


def differences(
    task: Task, probes: Mapping[str, Nested], drawn: Draws, beside: str = "x"
) -> dict[str, tuple[Score, Score]]:
    """AUROC of each probe, and the same less that of the probe `beside`, paired."""
    values = {name: areas(task, one.prediction, drawn) for name, one in probes.items()}
    return {name: (interval(one), interval(one - values[beside])) for name, one in values.items()}


class Delta(NamedTuple):
    """The selectivity of activations and of their reconstructions on one split."""

    model: float
    """S of the activations, mean over the controls."""
    sae: float
    """S of the reconstructions."""
    low: float
    high: float
    """The middle 95 % of S_sae - S_model over the controls, which are the same ones for both."""

    @property
    def delta(self) -> float:
        """S_sae - S_model: 0 where all is kept, below 0 where something is lost."""
        return self.sae - self.model


def delta_selectivity(
    x: np.ndarray, x_hat: np.ndarray, y: np.ndarray, times: int, seed: int = 0
) -> Delta:
    """Delta selectivity: accuracy of LinearSVC on a test fifth (`train_test_split` with seed 42)
    less its accuracy where the labels of training and test texts are shuffled, each among
    themselves; of reconstructions less of activations. The published code shuffles once, without
    a seed; here it is the mean over `times` shuffles."""
    from sklearn.model_selection import train_test_split

    order = np.arange(len(y))
    split = Split(*train_test_split(order, test_size=DELTA_TEST, random_state=DELTA_SEED))
    rng = generator(seed, "delta selectivity")
    labels = [y]
    for _ in range(times):
        control = y.copy()
        control[split.train] = rng.permutation(y[split.train])
        control[split.test] = rng.permutation(y[split.test])
        labels.append(control)
    of = np.array(
        [[_tested(np.asarray(rows, float), one, split) for one in labels] for rows in (x, x_hat)]
    )
    selectivities = of[:, :1] - of[:, 1:]
    low, high = np.percentile(selectivities[1] - selectivities[0], [2.5, 97.5])
    return Delta(*selectivities.mean(axis=1).tolist(), float(low), float(high))


def _tested(x: np.ndarray, y: np.ndarray, split: Split) -> float:
    """Accuracy on the test texts."""
    line = Line(*svm.machine(x[split.train], y[split.train], max_iter=DELTA_STEPS)[:2])
    return accuracy(line.of(x[split.test]), y[split.test])
