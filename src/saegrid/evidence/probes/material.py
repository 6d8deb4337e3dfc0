"""The numbers of texts that representations are made of: activations, codes, words, vectors."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.base.tensors import widen
from saegrid.codes.sparse import Features
from saegrid.evidence.probes.classify import Columns
from saegrid.evidence.probes.problem import Corpus, Problem
from saegrid.evidence.probes.selection import Matrix
from saegrid.evidence.texts import View, pool

TEXTS, SITE, CELL = "texts", "site", "cell"
OF = {
    TEXTS: "the texts alone, once a study",
    SITE: "the activations of a site",
    CELL: "the codes of a cell",
}
"""Origins of representations, in words."""
BLOCK = 8192
"""Tokens that are read at a time."""


class Representation(NamedTuple):
    """A description of texts by numbers."""

    of: str
    """texts, site or cell."""
    definition: str
    build: Callable[["Material", Problem], Columns | Matrix | None]
    """Function that gives (row, feature) numbers, or a function of a split that does; None where
    the study lacks what they are made of."""
    methods: Sequence[str]


class Activations(NamedTuple):
    """Activations of a site on a corpus."""

    x: np.ndarray
    """(captured, d_model) as stored."""
    token: np.ndarray
    """(captured,) token indices, ascending."""


class Material:
    """The data of a job about the texts of all corpora, in the order of these."""

    def __init__(
        self,
        corpora: Sequence[Corpus],
        activations: Sequence[Activations] = (),
        neurons: Sequence[Activations] = (),
        features: Sequence[Features] = (),
        vectors: Sequence[Activations] = (),
        seed: int = 0,
    ) -> None:
        """Set up the data: activations, those of the layer's neurons, codes of a cell, input
        embeddings; empty where the job has none such."""
        self.corpora, self.seed = list(corpora), seed
        self.activations, self.neurons = list(activations), list(neurons)
        self.features, self.vectors = list(features), list(vectors)
        self.kept: dict[str, list[Features]] = {}
        """Codes of other dictionaries, by representation."""
        self._pooled: dict[tuple[str, int, str], sparse.csc_matrix] = {}

    def with_features(self, features: Sequence[Features]) -> "Material":
        """A copy with the codes of another cell."""
        return Material(
            self.corpora, self.activations, self.neurons, features, self.vectors, self.seed
        )

    def pooled(self, problem: Problem, features: Sequence[Features] | None = None) -> Matrix:
        """(row, feature) float64 the largest activation on the tokens of each text."""
        kind = "cell" if features is None else "other"
        codes = self.features if features is None else features
        parts = []
        for number, corpus in enumerate(self.corpora):
            for side, view in enumerate(problem.views):
                rows = np.flatnonzero((problem.corpus == number) & (problem.view == side))
                if len(rows):
                    key = (kind, number, view)
                    if key not in self._pooled:
                        texts = corpus.texts
                        self._pooled[key] = pool(codes[number], texts.views[view], texts.n)
                    parts.append(_placed(self._pooled[key], problem.item[rows], rows))
        row, column, value = (np.concatenate(one) for one in zip(*parts, strict=True))
        shape = (len(problem.y), codes[0].d_sae)
        return _by_column(row, column, value, shape)

    def mean(self, problem: Problem, activations: Sequence[Activations]) -> np.ndarray:
        """(row, d_model) float64 the mean over the captured tokens of each text, less the mean of
        all texts; texts without a token have zeros."""
        out = np.zeros((len(problem.y), activations[0].x.shape[1]))
        without = np.ones(len(problem.y), bool)
        for number, corpus in enumerate(self.corpora):
            for side, view in enumerate(problem.views):
                rows = np.flatnonzero((problem.corpus == number) & (problem.view == side))
                if len(rows):
                    tokens = corpus.texts.views[view]
                    means, counts = means_of(activations[number], tokens, problem.item[rows])
                    out[rows], without[rows] = means, counts == 0
        centre = out[~without].mean(axis=0) if (~without).any() else 0.0
        out -= centre
        out[without] = 0
        return out

    @cached_property
    def l0(self) -> float:
        """Active features of the cell a token of the main corpus that stands in a text."""
        views, codes = self.corpora[0].texts.views, self.features[0]
        inside = np.zeros(int(codes.token.max(initial=0)) + 1, bool)
        for name in ("edited", "original", "text"):
            if name in views:
                token = views[name].token
                inside[token[token < len(inside)]] = True
        return float(inside[codes.indices].sum() / max(int(inside[codes.token].sum()), 1))


def _placed(
    pooled: sparse.csc_matrix, item: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and value of the entries of some items."""
    row_of = np.full(pooled.shape[0], -1, np.int64)
    row_of[item] = rows
    row = row_of[pooled.indices]
    column = np.repeat(np.arange(pooled.shape[1]), np.diff(pooled.indptr))
    kept = row >= 0
    return row[kept], column[kept], pooled.data[kept].astype(np.float64)


def _by_column(
    row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]
) -> sparse.csc_matrix:
    order = np.argsort(column * shape[0] + row, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=shape[1]))])
    return sparse.csc_matrix((value[order], row[order], indptr), shape=shape)


def means_of(
    activations: Activations, view: View, item: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(text, d_model) float64 means over the tokens of items that were captured, and their
    counts."""
    row_of = np.full(int(max(view.item.max(initial=-1), item.max(initial=-1))) + 1, -1)
    row_of[item] = np.arange(len(item))
    row = row_of[view.item]
    place = np.searchsorted(activations.token, view.token)
    place = np.minimum(place, max(len(activations.token) - 1, 0))
    kept = (row >= 0) & (activations.token[place] == view.token)
    row, place = row[kept], place[kept]
    counts = np.bincount(row, minlength=len(item))
    total = np.zeros((len(item), activations.x.shape[1]))
    for start in range(0, len(row), BLOCK):
        part = slice(start, start + BLOCK)
        ones = np.ones(len(row[part]))
        which = sparse.csr_matrix(
            (ones, (row[part], np.arange(len(ones)))), shape=(len(item), len(ones))
        )
        total += which @ widen(activations.x[place[part]]).astype(np.float64)
    return total / np.maximum(counts, 1)[:, None], counts
