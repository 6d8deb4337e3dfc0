"""The features whose decoder directions are nearest to that of one feature."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import Cell
from saegrid.features.logits import STREAM
from saegrid.interventions.search import TOP, SearchError
from saegrid.interventions.search.files import Cells, Place
from saegrid.meaning.nearest import Directions, by_direction
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import SAE

SCHEMA = pa.schema(
    [
        ("rank", pa.int32()),
        ("cell", pa.string()),
        ("feature", pa.int32()),
        ("cosine", pa.float32()),
        ("words", pa.string()),
    ]
)


class _Near(NamedTuple):
    cosine: float
    order: int
    feature: int


def compares(one: SAE, cell: str, other: SAE, name: str) -> bool:
    """Return True if decoder rows of two cells lie in one space: they write one site, or the same
    position of the residual stream in two layers."""
    first, second = (one.writes or Cell.parse(cell).site, other.writes or Cell.parse(name).site)
    return first == second or (first.position == second.position and first.position in STREAM)


def near(place: Place, feature: int, cells: Cells, top: int = TOP) -> pa.Table:
    """The features of some cells with the largest cosines with one feature, above chance, as in
    `SCHEMA`; cells whose directions do not compare with it are passed over."""
    with open_sae(place.sae) as sae:
        if not 0 <= feature < sae.decoder.d_sae:
            raise SearchError(
                f"{place.cell} has the features 0 to {sae.decoder.d_sae - 1}; got {feature}."
            )
        own = np.array([feature])
        direction = Directions.of(sae.decoder_rows, own)
        ranked: list[_Near] = []
        for order, other in enumerate(cells.places):
            with open_sae(other.sae) as its:
                if not compares(sae, place.cell, its, other.cell):
                    continue
                ids, same = np.arange(its.decoder.d_sae), other.cell == place.cell
                pairs = by_direction(direction, own, its.decoder_rows, ids, top, same)
                columns = pairs.value.tolist(), ids[pairs.column].tolist()
                ranked += [_Near(-value, order, one) for value, one in zip(*columns, strict=True)]
    return _table(sorted(ranked)[:top], cells)


def _table(ranked: Sequence[_Near], cells: Cells) -> pa.Table:
    rows = [
        {
            "rank": rank,
            "cell": cells.places[one.order].cell,
            "feature": one.feature,
            "cosine": -one.cosine,
            "words": cells.places[one.order].words([one.feature])[0],
        }
        for rank, one in enumerate(ranked)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
