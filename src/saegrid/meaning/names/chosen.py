"""The features of a cell that are named: those asked for, or tested ones and a sample."""

from collections.abc import Sequence

import numpy as np

from saegrid.base.errors import ConfigError
from saegrid.features import ordering

STRATA = 10
"""Groups of equal number into which features are cut by density."""


def chosen(
    wanted: int | Sequence[int],
    n_texts: np.ndarray,
    first: Sequence[int] = (),
    least: int = 20,
    seed: int = 0,
) -> np.ndarray:
    """The ids of the features that are named, ascending.

    wanted: their number, or their ids. n_texts: (feature,) edits, or words of plain text, on which
    each fires. A number is filled with the features `first` in their order, then with others, all
    of which fire on `least` or more: they are cut into tenths of equal number by how many these
    are, and each tenth gives its next one by a draw of seed and feature, the densest first.

    ConfigError where an id is no feature of the cell, or stands there twice.
    """
    if not isinstance(wanted, int):
        return _listed(wanted, len(n_texts))
    first = list(dict.fromkeys(f for f in first if n_texts[f] >= least))[:wanted]
    rest = np.flatnonzero(n_texts >= least)
    rest = rest[~np.isin(rest, first)]
    order = np.lexsort((rest, n_texts[rest]))
    stratum = np.empty(len(rest), np.int64)
    stratum[order] = np.arange(len(rest)) * STRATA // max(len(rest), 1)
    lot = ordering.draw(seed, 99, rest, np.arange(len(rest)), np.zeros(len(rest), np.int64))
    order = np.lexsort((lot, stratum))
    number = np.empty(len(rest), np.int64)
    number[order] = ordering.number(stratum[order])
    drawn = rest[np.lexsort((-stratum, number))][: wanted - len(first)]
    return np.sort(np.array([*first, *drawn.tolist()], np.int64))


def _listed(wanted: Sequence[int], d_sae: int) -> np.ndarray:
    """The ids of a list."""
    for feature in wanted:
        if not 0 <= feature < d_sae:
            raise ConfigError(
                f"analyses.names.features: {feature} is no feature of the cell, which has 0 to "
                f"{d_sae - 1:,}. Leave it out."
            )
    if len(set(wanted)) < len(wanted):
        twice = next(f for f in wanted if list(wanted).count(f) > 1)
        raise ConfigError(f"analyses.names.features: {twice} stands there twice. Leave one out.")
    return np.sort(np.array(wanted, np.int64))


def donors(features: np.ndarray, seed: int = 0) -> dict[int, int]:
    """Another feature for each, whose name it gets in the null: one cycle through all of them in
    the order of a draw, so that none keeps its own. Empty for less than two."""
    if len(features) < 2:
        return {}
    zeros = np.zeros(len(features), np.int64)
    order = features[np.argsort(ordering.draw(seed, 98, features, np.arange(len(features)), zeros))]
    return dict(zip(order.tolist(), np.roll(order, -1).tolist(), strict=True))
