"""The tokens that a feature fires on most, each with its share of the feature's firings.

What a feature is, is told by its tokens first and by the words around them second (design,
semantics 9): the words of its few strongest tokens leave out all the others.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.codes.sparse import Features, feature_ranges
from saegrid.features import ordering


class Spelled(NamedTuple):
    """Tokens by what they look like: the text of each without the blanks around it."""

    code: np.ndarray
    """(token,) int64: the spelling of each token, a number in `names`."""
    names: pa.StringArray
    """The distinct spellings; blanks alone, and the later part of a split character, stay."""

    @classmethod
    def of(cls, text: pa.Array | pa.ChunkedArray) -> "Spelled":
        """The spellings of the texts of tokens."""
        text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
        encoded = text.cast(pa.string()).dictionary_encode()
        stored = encoded.dictionary
        trimmed = pc.utf8_trim_whitespace(stored)
        spelled = pc.if_else(pc.equal(trimmed, ""), stored, trimmed).dictionary_encode()
        code = spelled.indices.to_numpy().astype(np.int64)
        return cls(code[encoded.indices.to_numpy()], spelled.dictionary)


class Shares(NamedTuple):
    """The tokens of features, by feature, the most frequent first; ties by spelling."""

    feature: np.ndarray
    """(row,) int64 feature ids, ascending."""
    code: np.ndarray
    """(row,) int64 spellings, see `Spelled`."""
    count: np.ndarray
    """(row,) int64: firings of the feature on tokens of this spelling."""


def token_shares(features: Features, spelled: Spelled, masked: np.ndarray, n: int) -> Shares:
    """The n commonest tokens of every feature among all of its firings that count.

    masked: (token,) bool, see `density.Counted`. A share is count / n_active of the feature: the
    counts of all its tokens add up to its n_active.
    """
    # The place of each spelling in the alphabet, for ties.
    place = np.argsort(np.argsort(np.asarray(spelled.names.to_pylist(), object), kind="stable"))
    width, columns = np.int64(max(len(place), 1)), []
    for start, stop in feature_ranges(features.indptr):
        part = features.part(start, stop)
        hit = masked[part.indices]
        keys = part.owners()[hit] * width + spelled.code[part.indices[hit]]
        keys, count = np.unique(keys, return_counts=True)
        owner, code = np.divmod(keys, width)
        order = np.lexsort((place[code], -count, owner))
        order = order[ordering.number(owner[order]) < n]
        columns.append((owner[order] + start, code[order], count[order]))
    return Shares(*(np.concatenate(column) for column in zip(*columns, strict=True)))
