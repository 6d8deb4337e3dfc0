"""Firing of the features of the cell."""

import numpy as np
from scipy import sparse

from saegrid.evidence.probes.classify import ALL, DIFFERENCE, SPARSE
from saegrid.evidence.probes.material import CELL, Material, Representation
from saegrid.evidence.probes.problem import Problem


def build(material: Material, problem: Problem) -> sparse.csc_matrix | None:
    """(row, feature) 1 where a feature fires on a token of the text."""
    if not material.features:
        return None
    pooled = material.pooled(problem)
    ones = np.ones(len(pooled.data))
    return sparse.csc_matrix((ones, pooled.indices, pooled.indptr), shape=pooled.shape)


REPRESENTATION = Representation(
    CELL,
    "1 for each feature of the cell that fires on a token of the text, else 0",
    build,
    (SPARSE, ALL, DIFFERENCE),
)
