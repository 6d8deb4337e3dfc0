"""Prompts with the tokens that a model drew after them, as texts for the tables of a corpus.

The drawn ids stand in the rows as they are: their text would often be read as other tokens.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from saegrid.base.words import PROMPT, SIDES
from saegrid.text.tokenizer import Encoded

DRAWN = pa.schema(
    [
        ("item", pa.int32()),
        ("step", pa.int32()),
        ("token_id", pa.int32()),
    ]
)
"""Columns of continuations.parquet, one row a drawn token, by item and step."""
UNFINISHED = "\ufffd"
"""End of a decoded text whose last character lacks bytes."""


def continued(
    texts: Sequence[str], encoded: Encoded, drawn: pa.Table, decode: Callable[[list[int]], str]
) -> tuple[list[str], Encoded, np.ndarray]:
    """The texts with what was drawn, their tokens, and (text,) the number of each prompt's tokens.

    decode: the text of some ids. A character of several tokens is the text of the last of them.

    Raises:
        ValueError: tokens were drawn for texts that are not there.
    """
    item, new = drawn["item"].to_numpy(), drawn["token_id"].to_numpy()
    if len(item) and (item.max() >= len(texts) or (np.diff(item) < 0).any()):
        raise ValueError(
            f"continuations: items must ascend and be below {len(texts)}; make them again from "
            "these items."
        )
    bounds = np.searchsorted(item, np.arange(len(texts) + 1))
    whole, ids, ends = [], [], []
    for k, text in enumerate(texts):
        prompt = slice(encoded.indptr[k], encoded.indptr[k + 1])
        own = encoded.ids[prompt].tolist()
        added = new[bounds[k] : bounds[k + 1]].tolist()
        pieces = pieces_of(own, added, decode)
        stops = encoded.ends[prompt].tolist()
        stops[-1:] = [len(text)] * bool(stops)
        whole.append(text + "".join(pieces))
        ids += own + added
        ends += stops + (len(text) + np.cumsum([len(piece) for piece in pieces])).tolist()
    n_prompt = np.diff(encoded.indptr)
    indptr = np.concatenate([[0], np.cumsum(n_prompt + np.diff(bounds))])
    return (
        whole,
        Encoded(np.array(ids, np.int32), np.array(ends, np.int32), indptr.astype(np.int64)),
        n_prompt,
    )


def pieces_of(prompt: list[int], new: list[int], decode: Callable[[list[int]], str]) -> list[str]:
    """The text that each new token adds to that of the tokens before it."""
    known, pieces = decode(prompt), []
    for n in range(1, len(new) + 1):
        longer = decode(prompt + new[:n])
        waits = longer.endswith(UNFINISHED) and n < len(new)
        pieces.append("" if waits else longer[len(known) :])
        known = known if waits else longer
    return pieces


def with_prompts(tokens: pa.Table, is_prompt: np.ndarray) -> pa.Table:
    """The table of tokens, with those of prompts, (token,) bool, on a side of their own."""
    sides = [*SIDES, PROMPT]
    codes = [sides.index(side) for side in tokens["side"].cast(pa.string()).to_pylist()]
    side = np.where(is_prompt, sides.index(PROMPT), codes).astype(np.int8)
    column = pa.DictionaryArray.from_arrays(pa.array(side), pa.array(sides))
    return tokens.set_column(tokens.column_names.index("side"), "side", column)


def drawn_texts(tokens: pa.Table) -> list[str]:
    """The texts that were drawn after prompts, by item; special tokens are blanks."""
    columns = (tokens[name].to_pylist() for name in ("item", "text", "side", "special"))
    texts: dict[int, list[str]] = {}
    for item, text, side, special in zip(*columns, strict=True):
        own = texts.setdefault(item, [])
        if side != PROMPT:
            own.append(" " if special else text)
    return ["".join(pieces) for _, pieces in sorted(texts.items())]
