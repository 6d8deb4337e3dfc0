"""The commonest words of the top tokens of features: what one feature is called beside another."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WORDS = 3
"""Words of a feature that are named."""


def commonest(top: pa.Table, shown: Sequence[int] | np.ndarray, n: int = WORDS) -> list[str | None]:
    """The n commonest words of the top tokens of each feature, with commas between them; ties by
    what stands first among the examples. None where there is no word."""
    trimmed = pc.utf8_trim_whitespace(pc.utf8_lower(top["word"].cast(pa.string())))
    coded = trimmed.combine_chunks().dictionary_encode()
    names, code = coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)
    rank, feature = top["example_rank"].to_numpy(), top["feature"].to_numpy().astype(np.int64)
    order = np.lexsort((rank, code, feature))
    keys = (feature * max(len(names), 1) + code)[order]
    opens = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.diff(np.append(opens, len(keys)))
    owner, word, first = feature[order][opens], code[order][opens], rank[order][opens]
    order = np.lexsort((first, -counts, owner))
    words: dict[int, list[str]] = {int(one): [] for one in shown}
    for one, place in zip(owner[order].tolist(), word[order].tolist(), strict=True):
        if len(words[one]) < n and names[place]:
            words[one].append(names[place])
    return [", ".join(several) or None for several in words.values()]
