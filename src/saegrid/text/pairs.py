"""The texts of a corpus for the tokenizer, and the edit of every pair among its tokens."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base import registry
from saegrid.base.words import EDITED, ORIGINAL, PLAIN, SIDES
from saegrid.text.masks import MASKS
from saegrid.text.masks.pair import Pair, Text
from saegrid.text.tokenizer import Encoded


class Texts(NamedTuple):
    """The texts, each once: the edited or plain text of each item, then the distinct originals."""

    texts: list[str]
    side: np.ndarray
    """(text,) int8: index of the side in SIDES."""
    group: np.ndarray
    """(text,) int32: number of the group."""
    item: np.ndarray
    """(text,) int32: number of the item; -1 for originals."""
    original: np.ndarray
    """(item,) int64: number of the text that is the item's original; -1 for plain items."""


def gather_texts(items: pa.Table) -> Texts:
    """The texts of a table of items that are tokenised.

    An original stands once a group. In a corpus that is not stripped, headlines of one group can
    differ in their outer blanks; each spelling is then a text of its own.
    """
    edited = items["edited"].to_pylist()
    groups = items["group"].to_numpy().astype(np.int32)
    numbers: dict[tuple[int, str], int] = {}
    original = np.full(len(edited), -1, dtype=np.int64)
    for item, text in enumerate(items["original"].to_pylist()):
        if text is not None:
            key = (int(groups[item]), text)
            original[item] = len(edited) + numbers.setdefault(key, len(numbers))
    side = np.where(original >= 0, SIDES.index(EDITED), SIDES.index(PLAIN))
    return Texts(
        edited + [text for _, text in numbers],
        np.concatenate([side, np.full(len(numbers), SIDES.index(ORIGINAL))]).astype(np.int8),
        np.concatenate([groups, np.array([g for g, _ in numbers], dtype=np.int32)]),
        np.concatenate([np.arange(len(edited)), np.full(len(numbers), -1)]).astype(np.int32),
        original,
    )


def find_edits(items: pa.Table, texts: Texts, encoded: Encoded, mask: str) -> np.ndarray:
    """The edits (item, 4): start and stop, original start and stop, as token numbers in each text.

    Plain items have zeros. Raises ValueError for a mask that is unknown or cannot be made.
    """
    find = registry.pick(MASKS, mask, "mask")
    bounds, ids, ends = encoded.indptr.tolist(), encoded.ids.tolist(), encoded.ends.tolist()

    def side(number: int) -> Text:
        part = slice(bounds[number], bounds[number + 1])
        return Text(texts.texts[number], ids[part], ends[part])

    names, words = items["id"].to_pylist(), items["edit"].to_pylist()
    edits = np.zeros((items.num_rows, 4), dtype=np.int64)
    for item in np.flatnonzero(texts.original >= 0).tolist():
        original = int(texts.original[item])
        edits[item] = find(Pair(str(names[item]), side(original), side(item), words[item]))
    return edits


def set_aside(
    items: pa.Table, texts: Texts, sizes: np.ndarray, max_length: int | None, layout: str
) -> list[dict[str, Any]]:
    """The items that cannot be model input, with the reason.

    A pair is set aside as a whole; in the layout `packed` only originals have a row of their own.
    sizes: (text,), positions of each text in a row of its own, 0 for a text without tokens.
    """
    names = items["id"].to_pylist()
    refused = []
    for item, original in enumerate(texts.original.tolist()):
        for number in (item, original) if original >= 0 else (item,):
            side = SIDES[texts.side[number]]
            bounded = max_length is not None and (layout != "packed" or number == original)
            if not sizes[number]:
                reason = f"the {side} text has no token"
            elif bounded and sizes[number] > max_length:
                reason = f"the {side} text takes {sizes[number]} positions, max_length {max_length}"
            else:
                continue
            refused.append({"item": item, "id": str(names[item]), "reason": reason})
            break
    return refused
