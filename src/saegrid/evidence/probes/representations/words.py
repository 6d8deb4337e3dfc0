"""Counts of words."""

import re

import numpy as np
from scipy import sparse

from saegrid.evidence.probes.classify import ALL, SPARSE
from saegrid.evidence.probes.material import TEXTS, Material, Representation
from saegrid.evidence.probes.problem import Problem

WORD = re.compile(r"[^\W_][\w'’-]*")


def build(material: Material, problem: Problem) -> sparse.csc_matrix | None:
    """(row, word) float64 counts of case-folded words, by name."""
    if not all(corpus.words for corpus in material.corpora):
        return None
    sides = [[corpus.words.get(view) for view in problem.views] for corpus in material.corpora]
    rows, words = [], []
    for row, (corpus, view, item) in enumerate(
        zip(problem.corpus, problem.view, problem.item, strict=True)
    ):
        said = WORD.findall((sides[corpus][view][item] or "").casefold())
        words += said
        rows += [row] * len(said)
    known, column = np.unique(np.array(words or [""], object), return_inverse=True)
    column = column[: len(words)]
    ones = np.ones(len(words))
    shape = (len(problem.y), len(known))
    return sparse.csc_matrix((ones, (np.array(rows, int), column)), shape=shape)


REPRESENTATION = Representation(
    TEXTS,
    "counts of the case-folded words of the text; a word that is not in the training texts says "
    "nothing",
    build,
    (SPARSE, ALL),
)
