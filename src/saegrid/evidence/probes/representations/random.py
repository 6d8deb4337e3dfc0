"""Codes in random directions, as many as the cell has features, at its L0."""

import numpy as np
from scipy import sparse

from saegrid.base.tensors import widen
from saegrid.codes.sparse import Features, from_pairs
from saegrid.evidence.probes.classify import ALL, DIFFERENCE, SPARSE
from saegrid.evidence.probes.material import CELL, Activations, Material, Representation
from saegrid.evidence.probes.problem import Problem
from saegrid.metrics.baselines.dictionary import largest_products
from saegrid.metrics.decoder import random_rows

TILE = 512


def build(material: Material, problem: Problem) -> sparse.csc_matrix | None:
    """(row, direction) the largest code on the tokens of the text."""
    if not material.features or not material.activations:
        return None
    if "random" not in material.kept:
        d_sae, d_model = material.features[0].d_sae, material.activations[0].x.shape[1]
        rows = random_rows(d_sae, d_model, material.seed)
        k = max(1, round(material.l0))
        wanted = [_tokens(material, number) for number in range(len(material.corpora))]
        first = widen(material.activations[0].x[wanted[0]]).astype(np.float64)
        mean = first.mean(axis=0)
        material.kept["random"] = [
            codes(one, places, mean, rows, k)
            for one, places in zip(material.activations, wanted, strict=True)
        ]
    return material.pooled(problem, material.kept["random"])


def codes(
    activations: Activations, places: np.ndarray, mean: np.ndarray, rows: np.ndarray, k: int
) -> Features:
    """The codes of some captured tokens. places: (token,) rows of the activations."""
    parts = []
    for start in range(0, len(places), TILE):
        at = places[start : start + TILE]
        x = widen(activations.x[at]).astype(np.float64) - mean
        tile = np.zeros((TILE, x.shape[1]))
        tile[: len(x)] = x  # tiles of one shape, whose products have the same last digits
        z = largest_products(tile, rows, k).tocsr()[: len(x)].tocoo()
        parts.append((z.col, activations.token[at][z.row], z.data))
    feature, token, value = (np.concatenate(one) for one in zip(*parts, strict=True))
    return from_pairs(feature, token, value, activations.token[places], len(rows))


def _tokens(material: Material, number: int) -> np.ndarray:
    """(token,) places of the captured tokens of the texts that are described."""
    views = material.corpora[number].texts.views
    names = [name for name in ("edited", "original", "text") if name in views]
    wanted = np.unique(np.concatenate([views[name].token for name in names]))
    return np.flatnonzero(np.isin(material.activations[number].token, wanted))


REPRESENTATION = Representation(
    CELL,
    "codes in as many random directions as the cell has features: products with x less its mean, "
    "the k largest positive ones of a token, k the cell's L0; largest on the tokens of the text",
    build,
    (SPARSE, ALL, DIFFERENCE),
)
