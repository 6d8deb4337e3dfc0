"""Features by a word: how well firing tells where it stands, from stored codes alone.

Of a feature and a word, on the captured tokens of a corpus:

    precision   = its firings on tokens of the word / its firings
    recall      = occurrences on one of whose tokens it fires / occurrences
    F1          = 2 precision recall / (precision + recall)
    specificity = captured tokens off the word on which it is silent / captured tokens off the word
"""

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.codes.sparse import Features, feature_ranges
from saegrid.interventions.search import SearchError

APART = "\0"
"""Character between the texts of rows: no part of a word, and no blank."""


class Text(NamedTuple):
    """The texts of a corpus as one string, with the place of each token in it."""

    whole: str
    start: np.ndarray
    """(token,) int64: its first character, blanks before it included."""
    stop: np.ndarray
    """(token,) int64: the character behind its last one."""

    @classmethod
    def of(cls, tokens: pa.Table) -> "Text":
        """The texts of tokens.parquet; specials have none."""
        text = tokens["text"].cast(pa.string()).combine_chunks()
        special = pc.fill_null(tokens["special"].combine_chunks(), False)
        text = pc.if_else(special, "", text)
        keys = [tokens[name].to_numpy() for name in ("row", "item")]
        ends = np.any([np.diff(key, append=key[-1:]) != 0 for key in keys], axis=0)
        glue = pa.array(["", APART]).take(pa.array(ends.astype(np.int8)))
        joined = pc.binary_join_element_wise(text, glue, "")
        size = pc.utf8_length(text).to_numpy().astype(np.int64)
        stop = np.cumsum(size + ends) - ends
        return cls("".join(joined.to_pylist()), stop - size, stop)


class Occurring(NamedTuple):
    """A word in the texts of a corpus."""

    token: np.ndarray
    """(token,) int32: the occurrence that each token is a part of, -1 of none."""
    n: int


def occurring(text: Text, word: str) -> Occurring:
    """The occurrences of a word, or of several in a row: whole words, capitals or not."""
    word = " ".join(word.split())
    if not word:
        raise SearchError("A word to search for must have a letter; got blanks. Give a word.")
    # A mark has no border of words beside it.
    before, after = (r"\b" if re.match(r"\w", end) else "" for end in (word[0], word[-1]))
    pattern = before + re.escape(word).replace(r"\ ", r"\s+") + after
    hits = [hit.span() for hit in re.finditer(pattern, text.whole, re.IGNORECASE)]
    token = np.full(len(text.start), -1, np.int32)
    if hits:
        begin, end = np.array(hits).T
        first = np.searchsorted(text.stop, begin, side="right")
        last = np.searchsorted(text.start, end, side="left")
        size = last - first
        owner = np.repeat(np.arange(len(hits)), size)
        place = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + first[owner]
        token[place] = owner
    return Occurring(token, len(hits))


class Firing(NamedTuple):
    """Firings of the features of a cell on a word; numbers of a feature, (feature,) each."""

    n_active: np.ndarray
    """int64: captured tokens on which it fires."""
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    specificity: np.ndarray
    n: int
    """Occurrences with a captured token."""


def firing(codes: Features, word: Occurring) -> Firing:
    """The firings of all features of a cell on a word, float64."""
    captured = word.token[codes.token]
    own = captured[captured >= 0]
    n, n_off = len(np.unique(own)), len(captured) - len(own)
    on, occurrences = (np.zeros(codes.d_sae, np.int64) for _ in range(2))
    inside = word.token >= 0
    for start, stop in feature_ranges(codes.indptr):
        part = codes.part(start, stop)
        hit = np.flatnonzero(inside[part.indices])
        feature = np.searchsorted(part.indptr, hit, side="right") - 1
        on[start:stop] = np.bincount(feature, minlength=stop - start)
        # Tokens of an occurrence stand together, and so do a feature's firings on them.
        at = word.token[part.indices[hit]]
        new = (np.diff(feature, prepend=-1) != 0) | (np.diff(at, prepend=-1) != 0)
        occurrences[start:stop] = np.bincount(feature[new], minlength=stop - start)
    active = np.diff(codes.indptr)
    precision = on / np.maximum(active, 1)
    recall = occurrences / max(n, 1)
    f1 = 2 * precision * recall / np.where(on > 0, precision + recall, 1.0)
    return Firing(active, precision, recall, f1, 1 - (active - on) / max(n_off, 1), n)
