"""Words with frequency, form and surprisal."""

import numpy as np
from scipy import sparse

from saegrid.evidence.probes.classify import ALL
from saegrid.evidence.probes.material import TEXTS, Material, Representation
from saegrid.evidence.probes.problem import Problem
from saegrid.evidence.probes.representations import frequency_surprisal, words


def build(material: Material, problem: Problem) -> sparse.csc_matrix | None:
    """(row, column) both side by side."""
    counts = words.build(material, problem)
    numbers = frequency_surprisal.build(material, problem)
    if counts is None or numbers is None:
        return None
    # Word counts have one entry a word: numbers are scaled down to weigh as much as these together.
    numbers = numbers - numbers.mean(axis=0)
    size = np.sqrt(max(numbers.shape[1], 1))
    return sparse.hstack([counts, sparse.csc_matrix(numbers / size)]).tocsc()


REPRESENTATION = Representation(
    TEXTS,
    "words and frequency_surprisal side by side, numbers scaled to weigh together as much as one "
    "word",
    build,
    (ALL,),
)
