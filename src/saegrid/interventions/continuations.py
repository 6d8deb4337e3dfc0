"""Prompts that a model continues: the tokens that it draws, as a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.interventions.generate import generate
from saegrid.models.load import Loaded
from saegrid.text.continued import DRAWN
from saegrid.text.tokenizer import Encoder

ROWS = 32
"""Rows that run together, of like length. The last bits of a product depend on it, so it is no
setting."""


def continuations(
    model: Loaded,
    encoder: Encoder,
    texts: Sequence[str],
    how: Mapping[str, Any],
    say: Callable[[str], None] = print,
) -> pa.Table:
    """The tokens drawn after each text, columns `DRAWN`, by item and step.

    The noise of a draw belongs to the item, the seed and the step, whatever stands beside it.

    how: new_tokens, temperature, seed and stop of the corpus: True ends a text before the first
    special token, which is no part of it.

    Raises:
        InterventionError: the model cannot generate, or a prompt is too long or has no token.
    """
    prompts = [encoder.opened(text) for text in texts]
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
    ends = encoder.special_ids if how["stop"] else []
    rows: dict[int, list[int]] = {}
    for start in range(0, len(order), ROWS):
        batch = order[start : start + ROWS].tolist()
        new = generate(
            model,
            [prompts[item] for item in batch],
            how["new_tokens"],
            temperature=how["temperature"],
            noise=[(item, how["seed"]) for item in batch],
            ends=ends,
        )
        rows |= dict(zip(batch, new.rows(), strict=True))
        say(f"{len(rows):,} of {len(prompts):,} prompts")
    entries = [
        (item, step, token)
        for item in range(len(prompts))
        for step, token in enumerate(token for token in rows[item] if token not in ends)
    ]
    columns = zip(*entries, strict=True) if entries else [[]] * len(DRAWN)
    return pa.table([pa.array(column, pa.int32()) for column in columns], DRAWN)
