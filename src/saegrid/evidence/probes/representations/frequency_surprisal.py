"""Frequency, form and surprisal of words."""

import numpy as np

from saegrid.evidence.contrast import SCORES, Design
from saegrid.evidence.nuisances import GROUPS, Numbers, basis
from saegrid.evidence.probes.classify import ALL
from saegrid.evidence.probes.material import TEXTS, Material, Representation
from saegrid.evidence.probes.problem import Problem


def build(material: Material, problem: Problem) -> np.ndarray | None:
    """(row, column) the nuisances of contrasts, in rank and squared rank."""
    if not all(corpus.numbers for corpus in material.corpora):
        return None
    columns = {}
    for field in Numbers._fields:
        columns[field] = np.zeros(len(problem.y))
        for number, corpus in enumerate(material.corpora):
            for side, view in enumerate(problem.views):
                rows = np.flatnonzero((problem.corpus == number) & (problem.view == side))
                if len(rows):
                    values = getattr(corpus.numbers[view], field)
                    columns[field][rows] = values[problem.item[rows]]
    item = np.arange(len(problem.y))
    design = Design(item, problem.cluster, SCORES, problem.scheme, problem.y, "")
    # A basis spans what its columns do, in units of its own; it has not seen what is predicted.
    return basis(design, Numbers(**columns), None, list(GROUPS))[0] * np.sqrt(len(item))


REPRESENTATION = Representation(
    TEXTS,
    "frequency of the word, numbers of tokens, place and length, capital, ending, and surprisal "
    "under the model itself where it was computed; in ranks and squared ranks",
    build,
    (ALL,),
)
