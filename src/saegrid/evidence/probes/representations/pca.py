"""Principal components of the activations, fitted on the training texts."""

import numpy as np

from saegrid.evidence.probes.classify import SPARSE, Columns
from saegrid.evidence.probes.material import SITE, Material, Representation
from saegrid.evidence.probes.problem import Problem, Split

MOST, VARIANCE = 256, 0.99
"""Largest number of components to choose from, and the share of the variance that they hold: those
of hardly any are noise, which fits in units of the standard deviation would take as seriously."""


def components(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(row, component) numbers of x (row, channel) float64 along the principal axes of its rows
    `train`, less their mean, the largest variance first; at most `MOST`, and no more than hold
    `VARIANCE` of it."""
    learned = x[train]
    centred = learned - learned.mean(axis=0)
    power, axes = np.linalg.eigh(centred.T @ centred)
    held = np.cumsum(power[::-1]) / max(float(power.sum()), 1e-300)
    axes = axes[:, ::-1][:, : min(MOST, int((held < VARIANCE).sum()) + 1)]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return (x - learned.mean(axis=0)) @ (axes * signs)


def build(material: Material, problem: Problem) -> Columns | None:
    """Function of a split that gives (row, component) numbers."""
    if not material.activations:
        return None
    x = material.mean(problem, material.activations)

    def of_split(split: Split) -> np.ndarray:
        return components(x, split.train)

    return of_split


REPRESENTATION = Representation(
    SITE,
    f"principal components of x on the training texts, at most {MOST} and no more than "
    f"hold {VARIANCE:.0%} of the variance; k of them are chosen like features",
    build,
    (SPARSE,),
)
