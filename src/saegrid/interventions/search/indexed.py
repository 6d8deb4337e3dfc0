"""Indices of the cells of a study: made with their recall on texts of its corpus, and used."""

from collections.abc import Callable
from typing import Any

import numpy as np

from saegrid.base import io
from saegrid.base.errors import size
from saegrid.base.paths import expand_all
from saegrid.base.words import Cell
from saegrid.interventions.search import index
from saegrid.interventions.search.estimate import Cost, size_of
from saegrid.interventions.search.files import Cells, Place
from saegrid.interventions.search.index import Index
from saegrid.interventions.search.prompts import MEMORY_MB, Prompts, activations_of
from saegrid.models import read_config, sizes_of
from saegrid.models.load import folder_of
from saegrid.models.tiles import rows_of
from saegrid.saes.reference import open_sae

ROWS, SEED = 512, 0
"""Rows of the corpus on whose tokens an index is learned, three in four, and its recall measured;
and the seed of their choice."""


def make_indices(
    cells: Cells, say: Callable[[str], Any], memory_mb: int = MEMORY_MB
) -> dict[str, Index]:
    """Make and write the index of each cell. say: gets a line on what is read, and one a cell."""
    cells = cells.weighed()
    cells.check_model()
    cells = cells._replace(model=expand_all(cells.model))
    sample = _sample(cells)
    widths = sizes_of(read_config(folder_of(cells.model)), cells.model.get("family", "auto"))
    sites = {place.cell: Cell.parse(place.cell).site for place in cells.places}
    saes = [size_of(p, widths.width(sites[p.cell].position)) for p in cells.places]
    say(Cost.of(saes, len(sample.wanted)).line() + " An index takes three readings.")
    x = activations_of(sample, cells.model, sites.values(), memory_mb, cells.threads)
    # Whole rows, so that no text is on both sides.
    rows = np.unique(sample.prompt[sample.wanted], return_inverse=True)[1]
    held, indices = rows % 4 == 0, {}
    for place in cells.places:
        with open_sae(place.sae) as sae:
            learned, others = (x[sites[place.cell]][part] for part in (~held, held))
            one = index.measured(index.make(sae.encoder, learned), sae.encoder, others)
        index.write(one, place)
        indices[place.cell] = one
        n = size(index.path_of(place).stat().st_size)
        say(f"{place.cell}: {n}, {recall(one)} on {held.sum():,} tokens of the corpus")
    return indices


def recall(one: Index) -> str:
    """The recall of an index, in words."""
    first, every = one.recall
    return (
        f"the index has {first:.1%} of the {index.FIRST} largest activations and {every:.1%} of all"
    )


def read_indices(cells: Cells, say: Callable[[str], Any]) -> Callable[[Place], Index]:
    """The indices of cells, each read when it is used; all are checked, and their recall told."""
    recalls = [index.recall_of(place) for place in cells.weighed().places]
    first, every = np.nanmean(recalls, axis=0)
    say(
        f"search: through indices, which on the corpus have {first:.1%} of a token's "
        f"{index.FIRST} largest activations and {every:.1%} of all, mean over {len(recalls)} cells"
    )
    return index.read


def _sample(cells: Cells) -> Prompts:
    """Rows of the corpus as prompts; every other token counts as special."""
    tokens = io.read_table(cells.tokens)
    rows = rows_of(tokens)
    count = len(rows.starts) - 1
    chosen = np.random.default_rng(SEED).permutation(count)[:ROWS]
    number = np.repeat(np.arange(count), np.diff(rows.starts))
    special = tokens["special"].to_numpy().astype(bool) | ~np.isin(number, chosen)
    position = np.arange(len(number)) - rows.starts[number]
    return Prompts(rows, number, position, special, [])
