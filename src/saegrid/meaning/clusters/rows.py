"""The rows that are clustered: texts by codes or activations, features by firings or directions.

A relation of features is a function in `RELATIONS`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from saegrid.codes.sparse import Features
from saegrid.evidence.clusters.clustering import Rows
from saegrid.evidence.clusters.weighting import scaled
from saegrid.meaning.clusters.units import Units, codes_of, density_of

CODES, X = "codes", "x"
LEAST_TEXTS = 3
"""Texts on which a feature must fire to count: one that fires on one text tells it from all."""


class Cell(NamedTuple):
    """A cell with its features."""

    name: str
    features: Features
    sae: str | None = None
    """A file in the folder of its SAE; None where directions are not asked for."""


def of_codes(units: Units, features: Features, weighting: str) -> Rows:
    """Texts by the features that fire on at least `LEAST_TEXTS` of them."""
    codes = codes_of(units, features)
    ids = np.flatnonzero(np.bincount(codes.indices, minlength=codes.shape[1]) >= LEAST_TEXTS)
    density = density_of(units, features)[ids]
    return Rows(codes[:, ids], ids, units.original, weighting, density)


def of_activations(x: np.ndarray, units: Units) -> Rows:
    """Texts by activations, columns standardised. x: (unit, d_model)."""
    return Rows(x, np.arange(x.shape[1]), units.original, "standard")


def by_firing(cell: Cell, ids: np.ndarray, units: Units) -> sparse.csr_matrix:
    """(feature, token) rows of length one: 1 where a feature fires on a token of the texts. Their
    products are cosines of firing, n_both / sqrt(n_one n_other)."""
    some = cell.features.select(ids)
    inside = np.isin(some.indices, units.view.token)
    owner = some.owners()[inside]
    token = np.unique(some.indices[inside], return_inverse=True)[1]
    shape = (len(ids), int(token.max(initial=-1)) + 1)
    return scaled(sparse.csr_matrix((np.ones(len(token)), (owner, token)), shape=shape))


def by_decoder(cell: Cell, ids: np.ndarray, units: Units) -> np.ndarray:
    """(feature, d_model) decoder rows of length one, whose products are cosines."""
    from saegrid.saes.reference import open_sae

    with open_sae(Path(str(cell.sae)).parent) as opened:
        return np.asarray(opened.decoder_rows(ids), np.float64)


RELATIONS: Mapping[str, Callable[[Cell, np.ndarray, Units], np.ndarray | sparse.csr_matrix]] = {
    "firing": by_firing,
    "decoder": by_decoder,
}
"""Relations of features by name: on which tokens they fire, or where they point."""


def most_active(units: Units, features: Features, dense: float, most: int) -> np.ndarray:
    """Ids of features, ascending: of those that fire on at least `LEAST_TEXTS` texts and on less
    than `dense` of the tokens, at most `most` that fire on most tokens."""
    rows = of_codes(units, features, "none")
    able = np.flatnonzero(rows.density < dense)
    order = able[np.lexsort((rows.ids[able], -rows.density[able]))][:most]
    return np.sort(rows.ids[order])
