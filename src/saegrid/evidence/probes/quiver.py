"""The gain of a set of probes with SAE codes over the set without (Kantamneni et al. 2502.16681).

For each outer fold the probe of the best `validation` is taken, the AUROC inside the training
folds, once from the probes without SAE and once from all; both predict the fold, which had no part
in the choice. Of equal ones the first is taken, so that a probe of codes is chosen only where it
is better.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saegrid.evidence.probes.nested import Task
from saegrid.evidence.probes.preserved import Draws, Score, areas, interval


class Candidate(NamedTuple):
    """A probe that a set may choose."""

    name: str
    of_sae: bool
    prediction: np.ndarray
    """(text,) by probes that were not fitted on the text."""
    validation: np.ndarray
    """(fold,) AUROC inside the training folds."""


class Gain(NamedTuple):
    """Both sets on the texts that chose nothing."""

    without: Score
    with_sae: Score
    gain: Score
    """Paired, where word types are drawn again."""
    chosen_without: list[str]
    """(fold,) names of the probes that were taken."""
    chosen_with: list[str]
    n_sae: int
    """Folds in which a probe of codes was taken."""


def gain(task: Task, candidates: Sequence[Candidate], drawn: Draws) -> Gain | None:
    """The gain by probes of SAE codes; None where there are none, or none beside them."""
    usable = [one for one in candidates if not np.isnan(one.validation).any()]
    plain = [one for one in usable if not one.of_sae]
    if not plain or len(plain) == len(usable):
        return None
    every = [*plain, *(one for one in usable if one.of_sae)]
    taken, predictions = [], []
    for group in (plain, every):
        chosen = [
            group[int(np.argmax([one.validation[fold] for one in group]))]
            for fold in range(task.n_folds)
        ]
        prediction = np.empty(len(task.y))
        for fold, one in enumerate(chosen):
            prediction[task.fold == fold] = one.prediction[task.fold == fold]
        taken.append(chosen)
        predictions.append(areas(task, prediction, drawn))
    without, with_sae = predictions
    return Gain(
        interval(without),
        interval(with_sae),
        interval(with_sae - without),
        [one.name for one in taken[0]],
        [one.name for one in taken[1]],
        sum(one.of_sae for one in taken[1]),
    )
