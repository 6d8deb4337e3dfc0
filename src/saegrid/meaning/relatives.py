"""Kin of the features of a cell, from the files of the cells in which they are looked for."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.codes.sparse import read_features
from saegrid.evidence.texts import Texts
from saegrid.meaning.kin import Other, Rules, in_order, kin, member
from saegrid.meaning.nearest import Directions
from saegrid.saes.reference import open_sae

Named = Sequence[tuple[str, str, bool]]
"""Cells: name, place, and whether its directions compare with those of the first, whose kin are
looked for."""


def relatives(
    cells: Named,
    codes: Iterable[str],
    tops: Iterable[str],
    saes: Iterable[str],
    texts: Texts,
    kept: np.ndarray,
    rules: Rules,
) -> pa.Table:
    """kin.parquet of the first cell. One cell is held beside it at a time, and one checkpoint open.

    codes, tops, saes: of each cell features.safetensors, top_tokens.parquet, and a file in the
    folder of its SAE. texts, kept: of the corpus.
    """
    tables = []
    for (name, place, compares), path, top, sae in zip(cells, codes, tops, saes, strict=True):
        its = member(name, read_features(path), io.read_table(Path(top)), texts, kept)
        with open_sae(Path(sae).parent) as opened:
            read = opened.decoder_rows
            if not tables:
                own, directions = its, Directions.of(read, its.shown)
            other = Other(place, its, read if compares else None, opened.decoder.d_sae)
            tables.append(kin(own, directions, other, rules))
    return in_order(tables)
