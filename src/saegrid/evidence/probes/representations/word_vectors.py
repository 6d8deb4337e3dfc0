"""The model's own input embeddings."""

import numpy as np

from saegrid.evidence.probes.classify import ALL, DIFFERENCE
from saegrid.evidence.probes.material import TEXTS, Material, Representation
from saegrid.evidence.probes.problem import Problem


def build(material: Material, problem: Problem) -> np.ndarray | None:
    """(row, d_model) means over the tokens of the text."""
    return material.mean(problem, material.vectors) if material.vectors else None


REPRESENTATION = Representation(
    TEXTS,
    "input embeddings of the model, mean over the tokens of the text: its word vectors before any "
    "layer, and not those of another source",
    build,
    (ALL, DIFFERENCE),
)
