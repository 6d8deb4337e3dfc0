"""The text of a verification: the golden sentences, and a sample of the study's own rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import PLAIN
from saegrid.text.tokenizer import Encoder


class Text(NamedTuple):
    """Rows of tokens, in flat arrays."""

    row: np.ndarray
    """(token,) int64: number of the row, from 0."""
    position: np.ndarray
    """(token,) int64: position in the row."""
    token_id: np.ndarray
    """(token,) int64: id of the token."""
    special: np.ndarray
    """(token,) bool: True where a token is special."""

    def plain(self) -> "Text":
        """The tokens that are not special."""
        return Text(*(column[~self.special] for column in self))

    def table(self) -> pa.Table:
        """A tokens table of the rows, in which no token is part of an edit."""
        n = len(self.row)
        columns = {"row": self.row, "position": self.position, "token_id": self.token_id}
        columns |= {"special": self.special, "in_edit": np.zeros(n, bool)}
        return pa.table({**columns, "side": pa.array([PLAIN] * n)})


def sentence(encoder: Encoder, text: str) -> Text:
    """The row of a single text, with the special tokens that open and close it."""
    ids = encoder.encode([text]).ids.tolist()
    before = [special.id for special in encoder.prefix]
    after = [special.id for special in encoder.suffix]
    token_id = np.array([*before, *ids, *after], np.int64)
    special = np.array([True] * len(before) + [False] * len(ids) + [True] * len(after))
    return Text(np.zeros(len(token_id), np.int64), np.arange(len(token_id)), token_id, special)


def sample(tokens: pa.Table, n: int) -> Text:
    """A sample of whole rows of a tokens table, evenly spread, with about n tokens that are not
    special."""
    row, position, token_id, special = (
        tokens[name].to_numpy() for name in ("row", "position", "token_id", "special")
    )
    n_rows = int(row[-1]) + 1
    wanted = -(-n * n_rows // max(1, int((~special).sum())))
    chosen = np.unique(np.linspace(0, n_rows - 1, min(wanted, n_rows)).astype(np.int64))
    kept = np.isin(row, chosen)
    number = np.searchsorted(chosen, row[kept])
    ids, positions = token_id[kept].astype(np.int64), position[kept].astype(np.int64)
    return Text(number, positions, ids, special[kept])


def join(texts: Sequence[Text]) -> Text:
    """The rows of all texts, one text after the other."""
    starts = np.cumsum([0, *(int(text.row[-1]) + 1 for text in texts[:-1])])
    moved = [text._replace(row=text.row + n) for text, n in zip(texts, starts, strict=True)]
    return Text(*(np.concatenate(column) for column in zip(*moved, strict=True)))
