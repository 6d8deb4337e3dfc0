"""The choice of the tokens of a corpus that are captured."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.base.words import EDITED, ORIGINAL, PLAIN
from saegrid.models.forward import CaptureError
from saegrid.models.tiles import rows_of


def captured_tokens(tokens: pa.Table, spans: pa.Table, choice: Mapping[str, Any]) -> np.ndarray:
    """The indices (kept,) int64 of the tokens to capture, ascending.

    Special tokens are never captured. The filter of items has no influence.

    Args:
        tokens: the corpus' table of tokens.
        spans: the corpus' table of spans.
        choice: `edited` (the tokens of the edits, edited side), `original` (the tokens they
            replaced, original side), `context` (number of the other tokens of the edited or plain
            side, or `all`) and `seed` (of the sample of these).

    Raises:
        CaptureError: no token is chosen.
    """
    side = tokens["side"].cast(pa.string()).to_numpy(zero_copy_only=False)
    special, in_edit = (tokens[name].to_numpy() for name in ("special", "in_edit"))
    chosen = np.zeros(len(side), dtype=bool)
    if choice["edited"]:
        chosen |= in_edit
    if choice["original"]:
        chosen[_replaced(tokens, spans)] = True
    context = np.flatnonzero(((side == EDITED) | (side == PLAIN)) & ~in_edit & ~special)
    n = len(context) if choice["context"] == "all" else min(choice["context"], len(context))
    if n < len(context):
        generator = np.random.default_rng(choice["seed"])
        context = generator.choice(context, n, replace=False)
    chosen[context] = True
    wanted = np.flatnonzero(chosen & ~special)
    if not len(wanted):
        raise CaptureError(
            f"tokens: no token of {tokens.num_rows} is chosen by {dict(choice)}. Set context to a "
            "number above 0 or to all."
        )
    return wanted


def _replaced(tokens: pa.Table, spans: pa.Table) -> np.ndarray:
    """The indices of the tokens that the edits replaced, on the original side."""
    rows = rows_of(tokens)
    originals = spans.filter(pc.equal(spans["side"].cast(pa.string()), ORIGINAL))
    row, start, stop = (originals[name].to_numpy() for name in ("row", "edit_start", "edit_stop"))
    length = stop - start
    first = np.repeat(rows.starts[row] + start, length)
    step = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return np.unique(first + step)
