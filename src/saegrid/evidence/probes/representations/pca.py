"""Principal components of the activations, fitted on the training texts."""

import numpy as np

from saegrid.evidence.probes.classify import SPARSE, Columns
from saegrid.evidence.probes.material import SITE, Material, Representation
from saegrid.evidence.probes.problem import Problem, Split

MOST = 256
"""Largest number of components to choose from."""


def build(material: Material, problem: Problem) -> Columns | None:
    """Function of a split that gives (row, component) numbers."""
    if not material.activations:
        return None
    x = material.mean(problem, material.activations)

    def components(split: Split) -> np.ndarray:
        learned = x[split.train]
        centred = learned - learned.mean(axis=0)
        _, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes[:, ::-1][:, :MOST]
        signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        return (x - learned.mean(axis=0)) @ (axes * signs)

    return components


REPRESENTATION = Representation(
    SITE,
    f"principal components of x on the training texts, at most {MOST}; k of them are chosen like "
    "features",
    build,
    (SPARSE,),
)
