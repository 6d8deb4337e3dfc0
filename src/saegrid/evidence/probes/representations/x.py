"""Activations of the site."""

import numpy as np

from saegrid.evidence.probes.classify import ALL, DIFFERENCE, SPARSE
from saegrid.evidence.probes.material import SITE, Material, Representation
from saegrid.evidence.probes.problem import Problem


def build(material: Material, problem: Problem) -> np.ndarray | None:
    """(row, d_model) means over the tokens of the text."""
    return material.mean(problem, material.activations) if material.activations else None


REPRESENTATION = Representation(
    SITE,
    "activations of the site, mean over the tokens of the text; k of them are k coordinates",
    build,
    (SPARSE, ALL, DIFFERENCE),
)
