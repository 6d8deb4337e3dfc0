"""Prompts encoded in every cell, one reading of each encoder for all of them."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from saegrid.base.words import Cell, Site
from saegrid.codes.encode import encode
from saegrid.interventions.search.files import Cells, Place
from saegrid.interventions.search.index import Index, through
from saegrid.interventions.search.known import LEAST, Known, known
from saegrid.interventions.search.prompts import Prompts
from saegrid.saes.reference import open_sae


class Encoded(NamedTuple):
    """The activations of prompts in one cell, by feature and then by token."""

    cell: str
    features: np.ndarray
    """(feature,) int64: the features that fire on any prompt, ascending."""
    place: np.ndarray
    """(entry,) int64: the feature of each activation, a number in `features`."""
    token: np.ndarray
    """(entry,) int64: its token among those of all prompts."""
    z: np.ndarray
    """(entry,) float32."""
    known: Known
    """Numbers of `features` on the corpus."""

    @property
    def score(self) -> np.ndarray:
        """(entry,) float64; NaN of a feature that fires too rarely on the corpus."""
        return self.known.scores(self.place, self.z)


def encoded(
    cells: Cells,
    prompts: Prompts,
    x: Mapping[Site, np.ndarray],
    threads: int = 1,
    indices: Callable[[Place], Index | None] = lambda place: None,
    least: int = LEAST,
) -> Iterator[Encoded]:
    """The activations of prompts in each cell, one after the other.

    x: of the tokens that have features, by site. indices: the index of a cell, where one is to
    choose the features that are computed. least: see `known`.
    """
    wanted = prompts.wanted
    for place in cells.places:
        own = x[Cell.parse(place.cell).site]
        with open_sae(place.sae) as sae:
            index = indices(place)
            if index is None:
                codes = encode(own, wanted, sae.encoder, threads=threads, name=place.cell)
            else:
                codes = through(index, sae.encoder, own, wanted)
        features = np.flatnonzero(np.diff(codes.indptr))
        owner = np.repeat(np.arange(len(features)), np.diff(codes.indptr)[features])
        numbers = known(place.features(), features, least)
        yield Encoded(
            place.cell, features, owner, codes.indices.astype(np.int64), codes.data, numbers
        )
