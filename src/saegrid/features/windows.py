"""Tokens with the text around them: the windows, words and rows of example tables."""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.codes.sparse import Features, find

SCHEMA = pa.schema(
    [
        ("feature", pa.int32()),
        ("example_rank", pa.int32()),
        ("token_index", pa.int64()),
        ("row", pa.int32()),
        ("position", pa.int32()),
        ("item", pa.int32()),
        ("activation", pa.float32()),
        ("token", pa.string()),
        ("word", pa.string()),
        ("window_tokens", pa.list_(pa.string())),
        ("window_activations", pa.list_(pa.float32())),
        ("center", pa.int32()),
    ]
)


BLANKS = np.array([chr(code).isspace() for code in range(0x3001)] + [False])
"""True if the character of this code is blank; the last entry stands for all larger codes."""


class Chosen(NamedTuple):
    """Examples before they get their windows, in table order."""

    feature: np.ndarray
    """(example,) feature ids."""
    rank: np.ndarray
    """(example,) place among the examples of the feature."""
    token: np.ndarray
    """(example,) token indices."""
    value: np.ndarray
    """(example,) float32."""


class Corpus(NamedTuple):
    """Columns of tokens.parquet as arrays."""

    row: np.ndarray
    position: np.ndarray
    item: np.ndarray
    special: np.ndarray
    text: pa.Array

    @classmethod
    def of(cls, tokens: pa.Table) -> "Corpus":
        """The columns of a token table."""
        row, position, item = (tokens[name].to_numpy() for name in ("row", "position", "item"))
        special = tokens["special"].to_numpy().astype(bool)
        return cls(row, position, item, special, tokens["text"].cast(pa.string()).combine_chunks())


def example_table(
    features: Features,
    tokens: pa.Table,
    chosen: Chosen,
    window: tuple[int, int],
    only: np.ndarray | None = None,
) -> pa.Table:
    """The rows of the chosen examples, with the columns of `SCHEMA`.

    A window holds up to window[0] tokens before the centre and window[1] after it, of the same
    row. Specials at the ends of a row (BOS, [CLS], [SEP], padding) stand in no window, those
    between the texts of a packed row do. window_activations are the feature's own: 0 where it is
    inactive, null where the token was not captured, so that nobody takes unknown for silent.

    Args:
        only: (token,) bool; where given, windows reach into the specials at the ends of a row, and
            activations outside `only` are 0, as on the published pages.
    """
    corpus = Corpus.of(tokens)
    first, last = row_bounds(corpus, bare=only is None)
    starts = np.maximum(chosen.token - window[0], first[chosen.token])
    stops = np.minimum(chosen.token + window[1], last[chosen.token]) + 1
    owner, index = spread(starts, stops)
    offsets = pa.array(np.concatenate([[0], np.cumsum(stops - starts)]), pa.int32())
    values = activations_at(features, chosen.feature[owner], index)
    if only is None:
        captured = np.zeros(len(corpus.row), dtype=bool)
        captured[features.token] = True
        shown = pa.array(values, pa.float32(), mask=~captured[index])
    else:
        shown = pa.array(np.where(only[index], values, np.float32(0)))
    columns = [
        chosen.feature,
        chosen.rank,
        chosen.token,
        corpus.row[chosen.token],
        corpus.position[chosen.token],
        corpus.item[chosen.token],
        chosen.value,
        corpus.text.take(pa.array(chosen.token)),
        words_at(corpus, chosen.token),
        pa.ListArray.from_arrays(offsets, corpus.text.take(pa.array(index))),
        pa.ListArray.from_arrays(offsets, shown),
        chosen.token - starts,
    ]
    arrays = [
        pa.array(column).cast(field.type) for column, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def row_bounds(corpus: Corpus, bare: bool) -> tuple[np.ndarray, np.ndarray]:
    """(token,) the first and the last token of the row of each token.

    bare: without the specials at its ends; a row of specials only is then empty.
    """
    n = len(corpus.row)
    opens = np.flatnonzero(np.diff(corpus.row, prepend=-1 if n else 0))
    sizes = np.diff(np.append(opens, n))
    if not len(opens):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    inside = ~corpus.special if bare else np.ones(n, dtype=bool)
    number = np.arange(n)
    first = np.minimum.reduceat(np.where(inside, number, n), opens)
    last = np.maximum.reduceat(np.where(inside, number, -1), opens)
    return np.repeat(first, sizes), np.repeat(last, sizes)


def spread(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of the ranges starts..stops, and the range of each; both (number,) int64."""
    sizes = stops - starts
    owner = np.repeat(np.arange(len(starts)), sizes)
    before = np.cumsum(sizes) - sizes
    return owner, np.arange(len(owner)) + (starts - before)[owner]


def activations_at(features: Features, feature: np.ndarray, token: np.ndarray) -> np.ndarray:
    """(pair,) float32: z of each feature at each token index, 0 where nothing is stored."""
    place = find(features, feature, token)
    stored = np.flatnonzero(place < features.indptr[feature + 1])
    stored = stored[features.indices[place[stored]] == token[stored]]
    values = np.zeros(len(feature), dtype=np.float32)
    values[stored] = features.data[place[stored]]
    return values


def words_at(corpus: Corpus, token: np.ndarray) -> pa.Array:
    """(token,) the whole word that each token is a part of, so that 'mallow' reads 'marshmallow'.

    A word is what stands between blanks in the text, without the punctuation around it. A token
    without a letter or digit is its own word (`own_word`): a comma is not the noun before it. A
    special has its own name.
    """
    n = len(corpus.row)
    ends = np.zeros(n, dtype=bool)
    for column in (corpus.row, corpus.item, corpus.special):
        ends |= np.diff(column, append=column[-1:]) != 0
    glue = pa.array(["", "\n"]).take(pa.array(ends.astype(np.int8)))
    whole = "".join(pc.binary_join_element_wise(corpus.text, glue, "").to_pylist())
    sizes = pc.utf8_length(corpus.text).to_numpy()
    inked = pc.utf8_length(pc.utf8_ltrim_whitespace(corpus.text)).to_numpy()
    at = np.cumsum(sizes + ends) - ends - inked
    at -= inked == 0  # blanks, or a later part of a character that stands with its first part

    codes = np.frombuffer(whole.encode("utf-32-le"), np.uint32)
    ink = ~BLANKS[np.minimum(codes, len(BLANKS) - 1)]
    spans = np.flatnonzero(np.diff(ink, prepend=False, append=False)).reshape(-1, 2)
    wanted, inverse = np.unique(token, return_inverse=True)
    span = np.searchsorted(spans[:, 0], at[wanted], side="right") - 1
    inside = (span >= 0) & (at[wanted] < np.append(spans[:, 1], 0)[span])
    names = corpus.text.take(pa.array(wanted)).to_pylist()
    special = corpus.special[wanted].tolist()
    bounds = spans[span].tolist() if len(spans) else [(0, 0)] * len(wanted)
    words = [
        name if own else own_word(name) or (bare_word(whole[begin:end]) if within else "")
        for name, own, within, (begin, end) in zip(
            names, special, inside.tolist(), bounds, strict=True
        )
    ]
    return pa.array(words, pa.string()).take(pa.array(inverse))


@lru_cache(maxsize=1 << 16)
def own_word(token: str) -> str | None:
    """The token as a word of its own, without blanks around it; None where it is part of the word
    around it, as the later part of a split character, which has no text.

    Vowel signs and accents alone belong to the letter before them, whatever token that is in.
    """
    inked = token.strip() or token
    bases = [letter for letter in inked if not unicodedata.category(letter).startswith("M")]
    return None if not bases or any(letter.isalnum() for letter in bases) else inked


@lru_cache(maxsize=1 << 16)
def bare_word(word: str) -> str:
    """The word without punctuation at its ends; punctuation alone stays."""
    marks = [unicodedata.category(letter).startswith("P") for letter in word]
    if all(marks):
        return word
    return word[marks.index(False) : len(word) - marks[::-1].index(False)]
