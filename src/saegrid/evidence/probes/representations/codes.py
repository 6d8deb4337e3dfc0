"""Codes of the cell."""

from saegrid.evidence.probes.classify import ALL, DIFFERENCE, SPARSE
from saegrid.evidence.probes.material import CELL, Material, Representation
from saegrid.evidence.probes.problem import Problem
from saegrid.evidence.probes.selection import Matrix


def build(material: Material, problem: Problem) -> Matrix | None:
    """(row, feature) the largest activation on the tokens of the text."""
    return material.pooled(problem) if material.features else None


REPRESENTATION = Representation(
    CELL,
    "largest activation of each feature of the cell on the tokens of the text",
    build,
    (SPARSE, ALL, DIFFERENCE),
)
