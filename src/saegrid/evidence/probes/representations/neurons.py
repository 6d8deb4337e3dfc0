"""Hidden neurons of the layer's MLP."""

import numpy as np

from saegrid.evidence.probes.classify import ALL, DIFFERENCE, SPARSE
from saegrid.evidence.probes.material import SITE, Material, Representation
from saegrid.evidence.probes.problem import Problem


def build(material: Material, problem: Problem) -> np.ndarray | None:
    """(row, neuron) means over the tokens of the text."""
    return material.mean(problem, material.neurons) if material.neurons else None


REPRESENTATION = Representation(
    SITE,
    "hidden neurons of the MLP of the site's layer (position N), mean over the tokens of the text; "
    "left out where the study does not capture them",
    build,
    (SPARSE, ALL, DIFFERENCE),
)
